"""Random questions under a Liner that deviates from its documentation: an answer must claim nothing that is false."""
