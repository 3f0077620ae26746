"""Entities as JSON: camelCase names, ISO 8601 times, UTF-8.

Each function has every field in the order of the published samples. Field names are not derived from the dataclasses,
so that renaming a field there cannot change the JSON.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from liner_mcp.demo.entities import Agent, AgentGroup, Call, CallStatus, Lead, LeadStatus, Order, Record

_SOURCE_FIELD = "501"


def encode_json(value: object) -> bytes:
    """Compact JSON in UTF-8. A lone surrogate, which UTF-8 cannot encode, becomes a JSON escape."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def moment(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


def call(item: Call) -> dict[str, object]:
    return {
        "id": item.id,
        "sipEndpointId": item.sip_endpoint_id,
        "finishInitiator": item.finish_initiator,
        "direction": item.direction,
        "leadId": item.lead_id,
        "userId": item.user_id,
        "orderId": item.order_id,
        "statusCode": item.status_code,
        "totalDurationSeconds": item.total_duration_seconds,
        "waitTimeDurationSeconds": item.wait_time_duration_seconds,
        "talkTimeDurationSeconds": item.talk_time_duration_seconds,
        "isPredictive": item.is_predictive,
        "clientPhone": item.client_phone,
        "hasRecords": item.has_records,
        "createdAt": moment(item.created_at),
    }


def record(item: Record, origin: str) -> dict[str, object]:
    return {
        "id": item.id,
        "userId": item.user_id,
        "leadId": item.lead_id,
        "isTransfer": item.is_transfer,
        "durationSeconds": item.duration_seconds,
        "fileUrl": _file_url(item, origin),
        "recordSummary": item.summary,
        "createdAt": moment(item.created_at),
    }


def _file_url(item: Record, origin: str) -> str | None:
    if item.has_file:
        return f"{origin}/audio/{item.id}.mp3"
    return None if item.id % 2 else ""  # the documentation does not say which of the two Liner sends


def lead(item: Lead, order_code: str) -> dict[str, object]:
    return {
        "id": item.id,
        "name": item.name,
        "phone": item.phone,
        "sourceComment": item.source_comment,
        "ip": f"203.0.113.{item.id % 254 + 1}",  # a block kept for documentation
        "externalIdBitrix24": "",
        "externalIdAmo": f"AMO-{item.id}",
        "externalIdMacro": "",
        "externalIdDomoplaner": "",
        "statusId": item.status_id,
        "leadType": item.lead_type,
        "createMethod": item.create_method,
        "isSecondary": item.is_secondary,
        "planningCallDateTime": moment(item.planning_call_date_time) if item.planning_call_date_time else None,
        "priority": item.priority,
        "utcOffset": item.utc_offset,
        "createdAt": moment(item.created_at),
        "updatedAt": moment(item.updated_at),
        "orderId": item.order_id,
        "orderCode": order_code,
        "vkId": "",
        "instagramLogin": "",
        "telegramUserName": item.telegram_user_name,
        "telegramPhone": "",
        # PHP writes an empty map as an empty list.
        "customValues": {_SOURCE_FIELD: item.source} if item.source else [],
    }


def order(item: Order) -> dict[str, object]:
    return {
        "id": item.id,
        "code": item.code,
        "serviceTitle": item.service_title,
        "title": item.title,
        "callSchedule": [["09:00", "21:00"]] * 5 + [["10:00", "18:00"]] * 2,
        "callHolidayOverrides": ["2026-01-01", "2026-05-09"],
        "autoDialingEnabled": True,
        "predictiveModeEnabled": item.predictive_mode_enabled,
        "aiModeEnabled": item.ai_mode_enabled,
        "standaloneAiModeEnabled": item.standalone_ai_mode_enabled,
        "aiModePrompt": f"Вы квалифицируете заявки по проекту {item.title}." if item.ai_mode_enabled else "",
        "aiModeFirstPhrase": "Здравствуйте! Вы оставляли заявку?" if item.ai_mode_enabled else "",
        "aiDefaultLanguage": "gb" if item.is_gulf else "ru",
        "amdDetectionEnabled": item.amd_detection_enabled,
        "callRecordRule": item.call_record_rule,
        "callCenterPhone": item.call_center_phone,
        "additionalCallCenterPhones": [],
        "sipEndpointUsageScheme": "random_default",
        "agentUserIds": item.agent_user_ids,
        "agentGroupIds": item.agent_group_ids,
        "showLeadContactsToAgent": False,
        "callAttemptsGroupId": 1,
        "qualifiedLeadsPerDayLimit": 20,
        "callScenarioId": 1,
        "leadTransformEnabled": False,
        "leadsPriority": 0,
        "status": "success",
        "sipEndpointIds": [],
    }


def old_order(item: Order) -> dict[str, object]:
    """An order in the list of API version 1."""
    return {"id": item.id, "title": item.title, "code": item.code, "callsAllowed": True}


def user(item: Agent) -> dict[str, object]:
    active_at = moment(item.last_activity_at) if item.last_activity_at else None
    return {
        "id": item.id,
        "name": item.name,
        "lastName": item.last_name,
        "secondName": item.second_name,
        "email": item.email,
        "isActive": item.is_active,
        "accessGroup": item.access_group,
        "webRtcEnabled": item.is_agent,
        "interfaceLanguageCode": item.interface_language_code,
        "languageSkillCodes": item.language_skill_codes,
        "autoAnswer": 0,
        "phoneMode": "default",
        "avatarUrl": None,
        "telegramNotificationsEnabled": False,
        "telegramChatId": None,
        "telegramNotificationsType": None,
        "emailNotificationsEnabled": False,
        "emailNotificationsType": None,
        "lastLoginAt": active_at,
        "lastActivityAt": active_at,
        "createdAt": moment(item.created_at),
    }


def agent_group(item: AgentGroup) -> dict[str, object]:
    return {
        "id": item.id,
        "names": {"ru": item.name_ru, "gb": item.name_gb},
        "agentIds": item.agent_ids,
        "createdAt": moment(item.created_at),
        "updatedAt": moment(item.updated_at),
    }


def call_status(item: CallStatus) -> dict[str, object]:
    return {
        "id": item.id,
        "code": item.code,
        "title": item.title,
        "description": item.description,
        "sort": item.sort,
        "commentRequired": item.comment_required,
        "isAvailableForAi": item.is_available_for_ai,
        "agentCallAvailability": item.agent_call_availability,
        "leadStatusCode": item.lead_status_code,
        "planningTimeRequired": item.planning_time_required,
        "isSystem": item.is_system,
    }


def lead_status(item: LeadStatus) -> dict[str, object]:
    return {
        "id": item.id,
        "code": item.code,
        "title": item.title,
        "category": item.category,
        "sort": item.sort,
        "color": item.color,
        "isSystem": item.is_system,
    }


def health() -> dict[str, object]:
    """All services are up. Some have no message and one has queue consumers, as in the published sample."""
    consumers = {
        "queue_name": "amo_call_save_result",
        "success": True,
        "data": {"current_consumers_count": 1, "needle_consumers_count": 1},
    }
    return {
        "linerMonolithPhpGateway": _service("Liner PHP Gateway service is ready!", reasonPhrase="Ok"),
        "linerMicroMqHub": _service("", reasonPhrase="Ok", consumers=[consumers]),
        "linerMicroRabbit": _service(""),
        "linerMicroStt": _service("Liner STT service is ready!", reasonPhrase="Ok"),
        "linerMicroLogger": _service("Liner Logger service is ready!", reasonPhrase="Ok"),
    }


def _service(message: str, **more: object) -> dict[str, object]:
    return {"success": True, "message": message, "data": {"executionTime": 0.003906965255737305, **more}}
