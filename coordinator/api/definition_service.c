/* definition_service.c - see definition_service.h. */
#include "coordinator/api/definition_service.h"

#include <string.h>

#include "coordinator/api/saga_message.h"
#include "lib/base/memory.h"
#include "saga/v1/saga_service.pb-c.h"

enum { OUTSTANDING = 8, SOURCE_BYTES_MAX = 1024 * 1024, NAME_BYTES_MAX = 255, PAGE_MAX = 1000 };

struct definition_service {
	struct catalog *catalog;
	struct engine *engine;
};

/* ---- messages ---- */
static void add_schemas(Saga__V1__Definition *message, const struct plan *plan, struct arena *arena)
{
	message->n_schemas = plan->schema_count;
	message->schemas = arena_alloc(arena, (plan->schema_count + 1) * sizeof(*message->schemas));
	for (size_t i = 0; i < plan->schema_count; i++) {
		const struct plan_schema *schema = plan->schemas[i];
		Saga__V1__SchemaBinding *binding = arena_alloc(arena, sizeof(*binding));

		saga__v1__schema_binding__init(binding);
		binding->subject = (char *)schema->subject; /* packing only reads texts */
		binding->version = schema->version;
		binding->schema_id = schema->schema_id;
		binding->message = (char *)schema->message;
		message->schemas[i] = binding;
	}
}

static void add_command_topic(Saga__V1__Definition *message, const char *topic)
{
	for (size_t i = 0; i < message->n_command_topics; i++)
		if (strcmp(message->command_topics[i], topic) == 0)
			return;
	message->command_topics[message->n_command_topics++] = (char *)topic;
}

static void add_topics(Saga__V1__Definition *message, const struct plan *plan, struct arena *arena)
{
	size_t step_count = plan->definition.step_count;

	message->command_topics = arena_alloc(arena, (step_count * STEP_PHASE_COUNT + 1) * sizeof(char *));
	for (size_t i = 0; i < step_count; i++)
		for (int phase = 0; phase < STEP_PHASE_COUNT; phase++)
			if (plan->steps[i].commands[phase].topic)
				add_command_topic(message, plan->steps[i].commands[phase].topic);
	message->n_reply_topics = plan->reply_topic_count;
	message->reply_topics = arena_alloc(arena, (plan->reply_topic_count + 1) * sizeof(char *));
	for (size_t i = 0; i < plan->reply_topic_count; i++)
		message->reply_topics[i] = (char *)plan->reply_topics[i];
}

static Saga__V1__Definition *make_definition(const struct definition_service *service, const struct plan *plan,
					     bool has_source, struct arena *arena)
{
	Saga__V1__Definition *message = arena_alloc(arena, sizeof(*message));
	size_t step_count = plan->definition.step_count;

	saga__v1__definition__init(message);
	message->name = (char *)plan->definition.name;
	message->version = plan->definition.version;
	message->source = (char *)(has_source ? plan->source : "");
	message->create_time = timestamp_make(plan->created_us, arena);
	message->creator = (char *)(plan->creator ? plan->creator : "");
	message->ready = plan->id != 0 && engine_is_ready(service->engine, plan);
	message->input_subject = (char *)plan->input->subject;
	message->n_step_ids = step_count;
	message->step_ids = arena_alloc(arena, (step_count + 1) * sizeof(char *));
	for (size_t i = 0; i < step_count; i++)
		message->step_ids[i] = (char *)plan->definition.steps[i].id;
	add_schemas(message, plan, arena);
	add_topics(message, plan, arena);
	return message;
}

/* ---- PutDefinition ---- */
static void check_put(const Saga__V1__PutDefinitionRequest *request, struct problems *problems)
{
	size_t len = strlen(request->source);

	if (len == 0)
		problems_add(problems, "source", "is required: the definition's YAML or JSON text");
	if (len > SOURCE_BYTES_MAX)
		problems_add(problems, "source", "has %zu bytes, at most %d are allowed", len, SOURCE_BYTES_MAX);
	if (strlen(request->file_name) > NAME_BYTES_MAX)
		problems_add(problems, "file_name", "has more than %d bytes", NAME_BYTES_MAX);
}

static void fail_violations(struct server_call *call, const struct problems *problems)
{
	struct error err;

	(void)problems_to_error(problems, ERR_INVALID, &err); /* always -1: it makes the text */
	server_call_fail(call, &(struct status){.code = ERR_INVALID,
						.message = err.msg,
						.reason = "FIELD_VIOLATIONS",
						.violations = problems});
}

static void put_definition(void *ctx, struct server_call *call, const ProtobufCMessage *message, struct arena *arena)
{
	struct definition_service *service = ctx;
	const Saga__V1__PutDefinitionRequest *request = (const Saga__V1__PutDefinitionRequest *)message;
	Saga__V1__PutDefinitionResponse response = SAGA__V1__PUT_DEFINITION_RESPONSE__INIT;
	const struct catalog_upload upload = {
		.file_name = *request->file_name ? request->file_name : "definition.yaml",
		.source = bytes_of_text(request->source),
		.creator = server_call_caller(call),
		.validate_only = request->validate_only != 0,
	};
	const struct plan *plan = NULL;
	struct problems problems;
	bool is_created = false;
	struct error err = {0};

	problems_init(&problems);
	check_put(request, &problems);
	if (problems.count) {
		fail_violations(call, &problems);
	} else if (catalog_put(service->catalog, &upload, &plan, &is_created, &problems, &err)) {
		server_call_fail(call, &(struct status){.code = err.code,
							.message = err.msg,
							.reason = problems.count ? "DEFINITION_INVALID" : NULL,
							.violations = &problems,
							.violations_field = "source"});
	} else {
		response.definition = make_definition(service, plan, true, arena);
		response.created = is_created;
		server_call_answer(call, &response.base);
	}
	problems_release(&problems);
}

/* ---- GetDefinition ---- */
struct status definition_unknown_status(struct catalog *catalog, const char *name, int32_t version, struct arena *arena)
{
	const struct plan *newest = catalog_by_name(catalog, name, 0);
	struct status status = {
		.code = ERR_NOT_FOUND,
		.reason = "DEFINITION_NOT_FOUND",
		.metadata = {{"definition", name}},
		.resource = {"saga.v1.Definition", name},
	};
	const char *near = newest ? "" : catalog_nearest(catalog, name, arena);

	if (newest)
		status.message = arena_format(arena, "definition '%.255s' has no version %d; the newest is %d", name,
					      version, newest->definition.version);
	else if (*near)
		status.message = arena_format(arena, "unknown definition '%.255s'; near are %s", name, near);
	else
		status.message = arena_format(
			arena, "unknown definition '%.255s'; ListDefinitions shows those that are registered", name);
	return status;
}

static void get_definition(void *ctx, struct server_call *call, const ProtobufCMessage *message, struct arena *arena)
{
	struct definition_service *service = ctx;
	const Saga__V1__GetDefinitionRequest *request = (const Saga__V1__GetDefinitionRequest *)message;
	Saga__V1__GetDefinitionResponse response = SAGA__V1__GET_DEFINITION_RESPONSE__INIT;
	const struct plan *plan;
	struct problems problems;
	struct error err;

	problems_init(&problems);
	if (!*request->name || strlen(request->name) > NAME_BYTES_MAX)
		problems_add(&problems, "name", "must have 1 to %d bytes", NAME_BYTES_MAX);
	if (request->version < 0)
		problems_add(&problems, "version", "is %d; versions count from 1, 0 takes the newest",
			     request->version);
	if (problems.count) {
		fail_violations(call, &problems);
		problems_release(&problems);
		return;
	}
	problems_release(&problems);
	plan = catalog_by_name(service->catalog, request->name, request->version);
	/* Another instance may have registered it a moment ago; while the store is away, what is known here must do. */
	if (!plan && catalog_refresh(service->catalog, &err)) {
		server_call_fail_with(call, &err);
		return;
	}
	plan = plan ? plan : catalog_by_name(service->catalog, request->name, request->version);
	if (!plan) {
		const struct status status =
			definition_unknown_status(service->catalog, request->name, request->version, arena);

		server_call_fail(call, &status);
		return;
	}
	response.definition = make_definition(service, plan, true, arena);
	server_call_answer(call, &response.base);
}

/* ---- ListDefinitions: the page token is the last name of the page before ---- */
static void list_definitions(void *ctx, struct server_call *call, const ProtobufCMessage *message, struct arena *arena)
{
	struct definition_service *service = ctx;
	const Saga__V1__ListDefinitionsRequest *request = (const Saga__V1__ListDefinitionsRequest *)message;
	Saga__V1__ListDefinitionsResponse response = SAGA__V1__LIST_DEFINITIONS_RESPONSE__INIT;
	struct problems problems;
	bool is_size_given = request->page_size > 0 && request->page_size < PAGE_MAX;
	size_t size = is_size_given ? (size_t)request->page_size : PAGE_MAX;
	const struct plan **plans;
	size_t count = catalog_list(service->catalog, arena, &plans);
	size_t at = 0;

	if (request->page_size < 0) {
		problems_init(&problems);
		problems_add(&problems, "page_size", "is %d, must be 0 (for %d) or more", request->page_size, PAGE_MAX);
		fail_violations(call, &problems);
		problems_release(&problems);
		return;
	}
	while (at < count && strcmp(plans[at]->definition.name, request->page_token) <= 0)
		at++;
	size = count - at < size ? count - at : size;
	response.definitions = arena_alloc(arena, (size + 1) * sizeof(*response.definitions));
	for (size_t i = 0; i < size; i++)
		response.definitions[i] = make_definition(service, plans[at + i], false, arena);
	response.n_definitions = size;
	if (at + size < count)
		response.next_page_token = response.definitions[size - 1]->name;
	server_call_answer(call, &response.base);
}

struct definition_service *definition_service_new(struct rpc_server *server, struct catalog *catalog,
						  struct engine *engine)
{
	struct definition_service *service = xcalloc(1, sizeof(*service));
	const struct rpc_method methods[] = {
		{"/saga.v1.SagaService/PutDefinition", RPC_KIND_BLOCKING, OUTSTANDING,
		 &saga__v1__put_definition_request__descriptor, put_definition, NULL, service, true},
		{"/saga.v1.SagaService/GetDefinition", RPC_KIND_BLOCKING, OUTSTANDING,
		 &saga__v1__get_definition_request__descriptor, get_definition, NULL, service, true},
		{"/saga.v1.SagaService/ListDefinitions", RPC_KIND_BLOCKING, OUTSTANDING,
		 &saga__v1__list_definitions_request__descriptor, list_definitions, NULL, service, true},
	};

	service->catalog = catalog;
	service->engine = engine;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		rpc_server_add(server, &methods[i]);
	return service;
}

void definition_service_free(struct definition_service *service)
{
	free(service);
}
