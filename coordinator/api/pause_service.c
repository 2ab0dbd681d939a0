/* pause_service.c - see pause_service.h. Definitions and participants differ in words alone. */
#include "coordinator/api/pause_service.h"

#include <string.h>

#include "coordinator/api/definition_service.h"
#include "coordinator/api/request_service.h"
#include "coordinator/api/saga_message.h"
#include "coordinator/engine/pauses.h"
#include "lib/base/memory.h"
#include "saga/v1/saga_service.pb-c.h"

enum { OUTSTANDING = 16, NAME_BYTES_MAX = 255, NAMES_SHOWN_MAX = 20 };

struct pause_service {
	struct pause_port changes;
	struct pause_port reads;
	struct catalog *catalog;
};

static const char NOBODY[] = "anonymous";

/* ---- requests ---- */
static bool is_legal(struct server_call *call, const struct pause *pause)
{
	const size_t name_len = strlen(pause->name);
	const size_t reason_len = strlen(pause->reason);
	struct problems problems;
	bool result;

	problems_init(&problems);
	if (name_len == 0 || name_len > NAME_BYTES_MAX)
		problems_add(&problems, pause_kind_name(pause->kind), "must have 1 to %d bytes", NAME_BYTES_MAX);
	if (reason_len == 0)
		problems_add(&problems, "reason", "is required: whoever finds it paused wants to know why");
	if (reason_len > REQUEST_REASON_BYTES_MAX)
		problems_add(&problems, "reason", "has %zu bytes, at most %d are allowed", reason_len,
			     REQUEST_REASON_BYTES_MAX);
	result = problems.count == 0;
	if (!result)
		server_call_fail_problems(call, &problems);
	problems_release(&problems);
	return result;
}

static struct pause pause_of(struct server_call *call, enum pause_kind kind, const char *name, const char *reason)
{
	const char *caller = server_call_caller(call);

	return (struct pause){.kind = kind, .name = name, .reason = reason, .actor = caller ? caller : NOBODY};
}

/* ---- what exists ---- */
static bool is_listed(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* "inventory, order, payment": of all definitions, as far as they are worth showing. */
static const char *participants(struct pause_service *service, struct arena *arena)
{
	const char *names[NAMES_SHOWN_MAX];
	const char *text = "";
	const char **topics;
	const size_t topic_count = catalog_command_topics(service->catalog, arena, &topics);
	size_t count = 0;

	for (size_t i = 0; i < topic_count && count < NAMES_SHOWN_MAX; i++) {
		const char *name = arena_strndup(arena, topics[i], strcspn(topics[i], "."));

		if (is_listed(names, count, name))
			continue;
		text = arena_format(arena, "%s%s%.60s", text, count ? ", " : "", name);
		names[count++] = name;
	}
	return text;
}

static bool is_participant(struct pause_service *service, const char *name, struct arena *arena)
{
	const struct pause pause = {.kind = PAUSE_PARTICIPANT, .name = name};
	const char **topics;
	const size_t count = catalog_command_topics(service->catalog, arena, &topics);

	for (size_t i = 0; i < count; i++)
		if (pause_names_topic(&pause, topics[i]))
			return true;
	return false;
}

/* False: it has been answered. What another instance has registered a moment ago is looked for, too. */
static bool does_exist(struct pause_service *service, struct server_call *call, const struct pause *pause,
		       struct arena *arena)
{
	struct status status;
	struct error err;

	for (int i = 0; i < 2; i++) {
		if (pause->kind == PAUSE_DEFINITION ? catalog_by_name(service->catalog, pause->name, 0) != NULL
						    : is_participant(service, pause->name, arena))
			return true;
		if (i == 0 && catalog_refresh(service->catalog, &err) < 0) {
			server_call_fail_with(call, &err);
			return false;
		}
	}
	if (pause->kind == PAUSE_DEFINITION)
		status = definition_unknown_status(service->catalog, pause->name, 0, arena);
	else
		status = (struct status){.code = ERR_NOT_FOUND,
					 .message = arena_format(arena,
								 "no definition sends commands to a participant "
								 "'%.255s'; there are: %s",
								 pause->name, participants(service, arena)),
					 .reason = "PARTICIPANT_NOT_FOUND",
					 .metadata = {{"participant", pause->name}}};
	server_call_fail(call, &status);
	return false;
}

/* ---- answers ---- */
static Saga__V1__Pause *make_message(const struct pause *pause, struct arena *arena)
{
	Saga__V1__Pause *message = arena_alloc(arena, sizeof(*message));

	saga__v1__pause__init(message);
	if (pause->kind == PAUSE_DEFINITION) {
		message->target_case = SAGA__V1__PAUSE__TARGET_DEFINITION;
		message->definition = (char *)pause->name; /* packing only reads it, as all that follow */
	} else {
		message->target_case = SAGA__V1__PAUSE__TARGET_PARTICIPANT;
		message->participant = (char *)pause->name;
	}
	message->reason = (char *)pause->reason;
	message->actor = (char *)pause->actor;
	message->create_time = timestamp_make(pause->time_us, arena);
	return message;
}

/* NULL: it has been answered. */
static Saga__V1__Pause *begin_pause(struct pause_service *service, struct server_call *call, const struct pause *pause,
				    struct arena *arena, bool *ret_was_paused)
{
	struct pause found = {0};
	bool is_new = false;
	struct error err;

	if (!is_legal(call, pause) || !does_exist(service, call, pause, arena))
		return NULL;
	if (service->changes.begin(service->changes.ctx, pause, arena, &found, &is_new, &err) < 0) {
		server_call_fail_with(call, &err);
		return NULL;
	}
	*ret_was_paused = !is_new;
	return make_message(&found, arena);
}

/* False: it has been answered. */
static bool end_pause(struct pause_service *service, struct server_call *call, const struct pause *pause,
		      bool *ret_was_paused)
{
	struct error err;

	if (!is_legal(call, pause))
		return false;
	if (service->changes.end(service->changes.ctx, pause, ret_was_paused, &err) == 0)
		return true;
	server_call_fail_with(call, &err);
	return false;
}

/* ---- the calls ---- */
static void pause_definition(void *ctx, struct server_call *call, const ProtobufCMessage *message, struct arena *arena)
{
	const Saga__V1__PauseDefinitionRequest *request = (const Saga__V1__PauseDefinitionRequest *)message;
	const struct pause pause = pause_of(call, PAUSE_DEFINITION, request->definition, request->reason);
	Saga__V1__PauseDefinitionResponse response = SAGA__V1__PAUSE_DEFINITION_RESPONSE__INIT;
	bool was_paused = false;

	response.pause = begin_pause(ctx, call, &pause, arena, &was_paused);
	response.was_paused = was_paused;
	if (response.pause)
		server_call_answer(call, &response.base);
}

static void pause_participant(void *ctx, struct server_call *call, const ProtobufCMessage *message, struct arena *arena)
{
	const Saga__V1__PauseParticipantRequest *request = (const Saga__V1__PauseParticipantRequest *)message;
	const struct pause pause = pause_of(call, PAUSE_PARTICIPANT, request->participant, request->reason);
	Saga__V1__PauseParticipantResponse response = SAGA__V1__PAUSE_PARTICIPANT_RESPONSE__INIT;
	bool was_paused = false;

	response.pause = begin_pause(ctx, call, &pause, arena, &was_paused);
	response.was_paused = was_paused;
	if (response.pause)
		server_call_answer(call, &response.base);
}

static void resume_definition(void *ctx, struct server_call *call, const ProtobufCMessage *message, struct arena *arena)
{
	const Saga__V1__ResumeDefinitionRequest *request = (const Saga__V1__ResumeDefinitionRequest *)message;
	const struct pause pause = pause_of(call, PAUSE_DEFINITION, request->definition, request->reason);
	Saga__V1__ResumeDefinitionResponse response = SAGA__V1__RESUME_DEFINITION_RESPONSE__INIT;
	bool was_paused = false;

	(void)arena;
	if (!end_pause(ctx, call, &pause, &was_paused))
		return;
	response.was_paused = was_paused;
	server_call_answer(call, &response.base);
}

static void resume_participant(void *ctx, struct server_call *call, const ProtobufCMessage *message,
			       struct arena *arena)
{
	const Saga__V1__ResumeParticipantRequest *request = (const Saga__V1__ResumeParticipantRequest *)message;
	const struct pause pause = pause_of(call, PAUSE_PARTICIPANT, request->participant, request->reason);
	Saga__V1__ResumeParticipantResponse response = SAGA__V1__RESUME_PARTICIPANT_RESPONSE__INIT;
	bool was_paused = false;

	(void)arena;
	if (!end_pause(ctx, call, &pause, &was_paused))
		return;
	response.was_paused = was_paused;
	server_call_answer(call, &response.base);
}

static void list_pauses(void *ctx, struct server_call *call, const ProtobufCMessage *message, struct arena *arena)
{
	struct pause_service *service = ctx;
	Saga__V1__ListPausesResponse response = SAGA__V1__LIST_PAUSES_RESPONSE__INIT;
	struct pause *pauses = NULL;
	struct error err;

	(void)message;
	if (service->reads.list(service->reads.ctx, arena, &pauses, &response.n_pauses, &err) < 0) {
		server_call_fail_with(call, &err);
		return;
	}
	response.pauses = arena_alloc(arena, (response.n_pauses + 1) * sizeof(*response.pauses));
	for (size_t i = 0; i < response.n_pauses; i++)
		response.pauses[i] = make_message(&pauses[i], arena);
	server_call_answer(call, &response.base);
}

struct pause_service *pause_service_new(struct rpc_server *server, const struct pause_port *changes,
					const struct pause_port *reads, struct catalog *catalog)
{
	struct pause_service *service = xcalloc(1, sizeof(*service));
	const struct rpc_method methods[] = {
		{"/saga.v1.SagaService/PauseDefinition", RPC_KIND_BLOCKING, OUTSTANDING,
		 &saga__v1__pause_definition_request__descriptor, pause_definition, NULL, service, true},
		{"/saga.v1.SagaService/ResumeDefinition", RPC_KIND_BLOCKING, OUTSTANDING,
		 &saga__v1__resume_definition_request__descriptor, resume_definition, NULL, service, true},
		{"/saga.v1.SagaService/PauseParticipant", RPC_KIND_BLOCKING, OUTSTANDING,
		 &saga__v1__pause_participant_request__descriptor, pause_participant, NULL, service, true},
		{"/saga.v1.SagaService/ResumeParticipant", RPC_KIND_BLOCKING, OUTSTANDING,
		 &saga__v1__resume_participant_request__descriptor, resume_participant, NULL, service, true},
		{"/saga.v1.SagaService/ListPauses", RPC_KIND_READING, OUTSTANDING,
		 &saga__v1__list_pauses_request__descriptor, list_pauses, NULL, service, true},
	};

	service->changes = *changes;
	service->reads = *reads;
	service->catalog = catalog;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		rpc_server_add(server, &methods[i]);
	return service;
}

void pause_service_free(struct pause_service *service)
{
	free(service);
}
