"""The fault matrix: whatever Liner does, an answer is right, or says what is missing, or is one clear sentence."""
