/* list_service.c - see list_service.h. */
#include "coordinator/api/list_service.h"

#include <assert.h>
#include <string.h>

#include "coordinator/api/bookmark.h"
#include "coordinator/api/filter_message.h"
#include "coordinator/api/saga_message.h"
#include "lib/base/memory.h"

enum { OUTSTANDING = 16 };

struct list_service {
	struct read_port port;
};

static size_t check_page_size(int32_t asked, size_t by_default, struct problems *problems)
{
	if (asked < 0)
		problems_add(problems, "page_size", "is %d, must be 0 (for %zu) or more", asked, by_default);
	if (asked <= 0)
		return by_default;
	return asked < LIST_PAGE_MAX ? (size_t)asked : LIST_PAGE_MAX;
}

static void add_token_problem(struct problems *problems)
{
	problems_add(problems, "page_token",
		     "is not the next_page_token of a page with the same filter, times and order");
}

/* ---- ListSagas ---- */
static uint64_t list_binding(const struct list_request *list)
{
	const int64_t numbers[] = {list->created.from_us, list->created.before_us, list->updated.from_us,
				   list->updated.before_us, list->is_oldest_first};

	return bookmark_bind(filter_bind(bookmark_binding(), &list->filter),
			     (struct bytes){(const uint8_t *)numbers, sizeof(numbers)});
}

static void check_list(const Saga__V1__ListSagasRequest *request, struct arena *arena, struct list_request *list,
		       struct problems *problems)
{
	filter_read(request->filter, arena, &list->filter, problems);
	time_range_read(request->create_time, "create_time", arena, &list->created, problems);
	time_range_read(request->update_time, "update_time", arena, &list->updated, problems);
	if ((int)request->order < 0 || request->order > SAGA__V1__SAGA_ORDER__SAGA_ORDER_OLDEST_FIRST)
		problems_add(problems, "order", "%d is no order", (int)request->order);
	list->is_oldest_first = request->order == SAGA__V1__SAGA_ORDER__SAGA_ORDER_OLDEST_FIRST;
	list->limit = check_page_size(request->page_size, LIST_PAGE_DEFAULT, problems);
	list->has_after = *request->page_token != 0;
	if (list->has_after && !bookmark_read(BOOKMARK_LIST, list_binding(list), request->page_token, list->after.data,
					      sizeof(list->after.data)))
		add_token_problem(problems);
}

static void answer_list(struct server_call *call, const struct list_request *list, const struct list_page *page,
			struct arena *arena)
{
	Saga__V1__ListSagasResponse response = SAGA__V1__LIST_SAGAS_RESPONSE__INIT;

	response.n_sagas = page->count;
	response.sagas = arena_alloc(arena, (page->count + 1) * sizeof(*response.sagas));
	for (size_t i = 0; i < page->count; i++)
		response.sagas[i] = saga_head_message_make(&page->items[i], arena);
	if (page->has_more)
		response.next_page_token = bookmark_make(BOOKMARK_LIST, list_binding(list),
							 (struct bytes){page->last.data, sizeof(page->last.data)},
							 arena);
	server_call_answer(call, &response.base);
}

static void list_sagas(void *ctx, struct server_call *call, const ProtobufCMessage *message, struct arena *arena)
{
	const struct list_service *service = ctx;
	struct list_request list = {0};
	struct list_page page;
	struct problems problems;
	struct error err;

	problems_init(&problems);
	check_list((const Saga__V1__ListSagasRequest *)message, arena, &list, &problems);
	if (problems.count)
		server_call_fail_problems(call, &problems);
	else if (service->port.list(service->port.ctx, &list, arena, &page, &err) < 0)
		server_call_fail_with(call, &err);
	else
		answer_list(call, &list, &page, arena);
	problems_release(&problems);
}

/* ---- GetSagaLog: the token is the last sequence of the page before, bound to the saga ---- */
static uint64_t log_binding(struct uuid id)
{
	return bookmark_bind(bookmark_binding(), (struct bytes){id.data, sizeof(id.data)});
}

static void fail_log(struct server_call *call, struct uuid id, const struct error *err)
{
	struct saga_error_texts texts;
	const struct status status = saga_error_status(id, err, &texts);

	server_call_fail(call, &status);
}

static void answer_log(const struct list_service *service, struct server_call *call, struct uuid id, int64_t after,
		       size_t limit, struct arena *arena)
{
	Saga__V1__GetSagaLogResponse response = SAGA__V1__GET_SAGA_LOG_RESPONSE__INIT;
	struct store_log_row *rows = NULL;
	char id_text[UUID_TEXT_LEN + 1];
	size_t count = 0;
	struct error err;

	uuid_format(id, id_text);
	if (service->port.log(service->port.ctx, id, after, limit + 1, arena, &rows, &count, &err) < 0) {
		fail_log(call, id, &err);
		return;
	}
	if (count == 0 && after == 0) { /* every saga has at least the entry of its start */
		(void)error_set(&err, ERR_NOT_FOUND, "saga '%s' does not exist", id_text);
		fail_log(call, id, &err);
		return;
	}
	response.n_events = count < limit ? count : limit;
	response.events = arena_alloc(arena, (count + 1) * sizeof(*response.events));
	for (size_t i = 0; i < response.n_events; i++)
		response.events[i] = saga_event_message_make(&rows[i], arena);
	if (count > limit)
		response.next_page_token =
			bookmark_make(BOOKMARK_LOG, log_binding(id),
				      (struct bytes){(const uint8_t *)&rows[limit - 1].entry.sequence,
						     sizeof(rows[0].entry.sequence)},
				      arena);
	server_call_answer(call, &response.base);
}

static void get_saga_log(void *ctx, struct server_call *call, const ProtobufCMessage *message, struct arena *arena)
{
	const Saga__V1__GetSagaLogRequest *request = (const Saga__V1__GetSagaLogRequest *)message;
	struct uuid id = {0};
	struct problems problems;
	int64_t after = 0;
	size_t limit;

	problems_init(&problems);
	saga_id_check(request->saga_id, &id, &problems);
	limit = check_page_size(request->page_size, LOG_PAGE_DEFAULT, &problems);
	if (*request->page_token &&
	    !bookmark_read(BOOKMARK_LOG, log_binding(id), request->page_token, &after, sizeof(after)))
		problems_add(&problems, "page_token", "is not the next_page_token of this saga's log");
	if (problems.count)
		server_call_fail_problems(call, &problems);
	else
		answer_log(ctx, call, id, after, limit, arena);
	problems_release(&problems);
}

struct list_service *list_service_new(struct rpc_server *server, const struct read_port *port)
{
	struct list_service *service = xcalloc(1, sizeof(*service));
	const struct rpc_method methods[] = {
		{"/saga.v1.SagaService/ListSagas", RPC_KIND_READING, OUTSTANDING,
		 &saga__v1__list_sagas_request__descriptor, list_sagas, NULL, service, true},
		{"/saga.v1.SagaService/GetSagaLog", RPC_KIND_READING, OUTSTANDING,
		 &saga__v1__get_saga_log_request__descriptor, get_saga_log, NULL, service, true},
	};

	service->port = *port;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		rpc_server_add(server, &methods[i]);
	return service;
}

void list_service_free(struct list_service *service)
{
	free(service);
}
