/* stuck_service.c - see stuck_service.h. */
#include "coordinator/api/stuck_service.h"

#include <string.h>

#include "coordinator/api/bookmark.h"
#include "coordinator/api/filter_message.h"
#include "coordinator/api/stuck_groups.h"
#include "lib/base/memory.h"

/* A call reads up to PAGES_MAX pages, each of which looks at a bounded number of rows. GROUPS_MAX ends it before, since
 * reason codes come from participants. */
enum { OUTSTANDING = 16, PAGE_SAGAS = 500, PAGES_MAX = 10, GROUPS_MAX = 1000 };

struct stuck_service {
	struct read_port port;
	struct catalog *catalog;
};

/* ---- the request ---- */
static uint64_t binding_of(const struct list_request *list, const Saga__V1__ListStuckRequest *request)
{
	const int32_t phase = (int32_t)request->phase;
	uint64_t binding = filter_bind(bookmark_binding(), &list->filter);

	binding = bookmark_bind(binding, bytes_of_text(request->step_id));
	binding = bookmark_bind(binding, bytes_of_text(request->reason));
	return bookmark_bind(binding, (struct bytes){(const uint8_t *)&phase, sizeof(phase)});
}

static void check(const Saga__V1__ListStuckRequest *request, struct arena *arena, struct list_request *list,
		  struct problems *problems)
{
	filter_read(request->filter, arena, &list->filter, problems);
	if (list->filter.states)
		problems_add(problems, "filter.states", "must be empty: the sagas counted are STUCK");
	list->filter.states = 1u << SAGA_STATE_STUCK;
	list->is_oldest_first = true;
	list->limit = PAGE_SAGAS;
	if ((int)request->phase < 0 || request->phase > SAGA__V1__STEP_PHASE__STEP_PHASE_COMPENSATION)
		problems_add(problems, "phase", "%d is no direction of a step", (int)request->phase);
	list->has_after = *request->page_token != 0;
	if (list->has_after && !bookmark_read(BOOKMARK_STUCK, binding_of(list, request), request->page_token,
					      list->after.data, sizeof(list->after.data)))
		problems_add(problems, "page_token", "is not the next_page_token of a page with the same filter");
}

/* ---- counting ---- */
/* It was stuck when its row was listed, and may have gone on since. */
static void count_row(struct stuck_service *service, const struct store_row *row, struct arena *arena,
		      struct stuck_groups *groups)
{
	const struct plan *plan;
	struct saga *saga;
	struct error err;

	if (row->state != SAGA_STATE_STUCK)
		return;
	plan = catalog_by_id(service->catalog, row->definition_id);
	if (!plan)
		stuck_groups_add_unreadable(groups, row->definition_name, row->saga_id,
					    "this coordinator does not know its definition's version");
	else if (saga_decode(&plan->definition, row->data, arena, &saga, &err) < 0)
		stuck_groups_add_unreadable(groups, row->definition_name, row->saga_id, err.msg);
	else
		stuck_groups_add(groups, plan, saga);
}

static int count_page(struct stuck_service *service, const struct list_page *page, struct arena *arena,
		      struct stuck_groups *groups, struct error *err)
{
	const struct store_port *sagas = &service->port.sagas;
	struct uuid *ids = arena_alloc(arena, (page->count + 1) * sizeof(*ids));
	struct store_row *rows = NULL;
	size_t count = 0;

	if (page->count == 0)
		return 0;
	for (size_t i = 0; i < page->count; i++)
		ids[i] = page->items[i].saga.id;
	if (sagas->load(sagas->ctx, ids, page->count, arena, &rows, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		count_row(service, &rows[i], arena, groups);
	return 0;
}

/* *ret_more: there are sagas behind list->after, which were not looked at. */
static int count_all(struct stuck_service *service, struct list_request *list, struct stuck_groups *groups,
		     bool *ret_more, struct error *err)
{
	_cleanup_(arena_release)
	struct arena arena = {0};
	struct list_page page = {.has_more = true};

	for (int i = 0; i < PAGES_MAX && page.has_more && groups->count < GROUPS_MAX; i++) {
		arena_clear(&arena);
		if (service->port.list(service->port.ctx, list, &arena, &page, err) < 0 ||
		    count_page(service, &page, &arena, groups, err) < 0)
			return -1;
		list->has_after = true;
		list->after = page.has_more ? page.last : list->after;
	}
	*ret_more = page.has_more;
	return 0;
}

static const char *text_or_null(const char *text)
{
	return *text ? text : NULL;
}

static void list_stuck(void *ctx, struct server_call *call, const ProtobufCMessage *message, struct arena *arena)
{
	const Saga__V1__ListStuckRequest *request = (const Saga__V1__ListStuckRequest *)message;
	Saga__V1__ListStuckResponse response = SAGA__V1__LIST_STUCK_RESPONSE__INIT;
	struct stuck_groups groups = {.arena = arena,
				      .step_id = text_or_null(request->step_id),
				      .reason = text_or_null(request->reason),
				      .phase = request->phase,
				      .has_saga_ids = request->include_saga_ids};
	struct list_request list = {0};
	struct problems problems;
	struct error err;
	bool has_more;

	problems_init(&problems);
	check(request, arena, &list, &problems);
	if (problems.count) {
		server_call_fail_problems(call, &problems);
	} else if (count_all(ctx, &list, &groups, &has_more, &err) < 0) {
		server_call_fail_with(call, &err);
	} else {
		stuck_groups_sort(&groups);
		response.groups = groups.items;
		response.n_groups = groups.count;
		if (has_more)
			response.next_page_token =
				bookmark_make(BOOKMARK_STUCK, binding_of(&list, request),
					      (struct bytes){list.after.data, sizeof(list.after.data)}, arena);
		server_call_answer(call, &response.base);
	}
	problems_release(&problems);
}

struct stuck_service *stuck_service_new(struct rpc_server *server, const struct read_port *port,
					struct catalog *catalog)
{
	struct stuck_service *service = xcalloc(1, sizeof(*service));

	service->port = *port;
	service->catalog = catalog;
	rpc_server_add(server, &(struct rpc_method){"/saga.v1.SagaService/ListStuck", RPC_KIND_READING, OUTSTANDING,
						    &saga__v1__list_stuck_request__descriptor, list_stuck, NULL,
						    service, true});
	return service;
}

void stuck_service_free(struct stuck_service *service)
{
	free(service);
}
