/* watch_stream.c - see watch_stream.h. */
#include "coordinator/api/watch_stream.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/api/bookmark.h"
#include "coordinator/api/saga_message.h"
#include "lib/base/memory.h"
#include "saga/v1/saga_service.pb-c.h"

enum { MESSAGE_BYTES = 1024 * 1024, CHANGES_MAX = 500 };

struct message {
	struct message *next;
	struct buffer bytes;
};

struct watch_stream {
	atomic_int refs;
	struct watch_hub *hub;
	struct uuid saga_id;
	struct stream_waker *waker;
	pthread_mutex_t mu;
	struct message *first; /* guarded by mu, as all below */
	struct message **end;
	size_t waiting_bytes;
	bool is_gone;
	bool is_over; /* no more will come: the status is below */
	enum watch_end why;
	struct error err;
};

struct watch_stream *watch_stream_new(struct watch_hub *hub, struct server_stream *stream, struct uuid saga_id)
{
	struct watch_stream *watch = xcalloc(1, sizeof(*watch));

	atomic_init(&watch->refs, 2);
	watch->hub = hub;
	watch->saga_id = saga_id;
	watch->waker = server_stream_waker(stream);
	watch->end = &watch->first;
	(void)pthread_mutex_init(&watch->mu, NULL); /* default attributes cannot fail */
	return watch;
}

void watch_stream_unref(struct watch_stream *watch)
{
	if (atomic_fetch_sub(&watch->refs, 1) != 1)
		return;
	for (struct message *next; watch->first; watch->first = next) {
		next = watch->first->next;
		buffer_release(&watch->first->bytes);
		free(watch->first);
	}
	stream_waker_free(watch->waker);
	(void)pthread_mutex_destroy(&watch->mu);
	free(watch);
}

/* ---- the server's side ---- */

/* The next message; NULL: none. *ret_is_over: nothing is left and nothing will come. */
static struct message *take(struct watch_stream *watch, bool *ret_is_over, bool *ret_has_room_again)
{
	struct message *message;

	(void)pthread_mutex_lock(&watch->mu);
	message = watch->first;
	if (message) {
		watch->first = message->next;
		if (!watch->first)
			watch->end = &watch->first;
		watch->waiting_bytes -= message->bytes.len;
	}
	*ret_is_over = !message && watch->is_over;
	*ret_has_room_again = message && watch->waiting_bytes < WATCH_ROOM_BYTES &&
			      watch->waiting_bytes + message->bytes.len >= WATCH_ROOM_BYTES;
	(void)pthread_mutex_unlock(&watch->mu);
	return message;
}

/* After is_over nobody writes `why` and `err` any more. */
static void finish(struct watch_stream *watch, struct server_stream *stream)
{
	struct saga_error_texts texts;
	struct status status = saga_error_status(watch->saga_id, &watch->err, &texts);
	struct problems problems;

	problems_init(&problems);
	switch (watch->why) {
	case WATCH_END_DONE:
	case WATCH_END_ERROR:
		break;
	case WATCH_END_EXPIRED:
		status = (struct status){
			.code = ERR_PRECONDITION,
			.message = "the position is no longer kept, or of another database: list what you need and "
				   "watch without a position",
			.reason = "POSITION_EXPIRED",
			.precondition = {"POSITION_KEPT", "position", "positions are good for 24 hours"},
		};
		break;
	case WATCH_END_TOO_MANY:
		status = (struct status){
			.code = ERR_LIMIT,
			.message = "more than 10000 sagas that have not ended fit the filter: narrow it, or use "
				   "ListSagas and watch without include_current",
			.reason = "TOO_MANY_CURRENT",
			.retry_after_ms = -1,
		};
		break;
	case WATCH_END_BEYOND:
		problems_add(&problems, "after_sequence", "is beyond the saga's log");
		status = (struct status){
			.code = ERR_INVALID,
			.message = "after_sequence is beyond the saga's log",
			.reason = "SEQUENCE_BEYOND_LOG",
			.violations = &problems,
		};
		break;
	}
	server_stream_finish(stream, watch->why == WATCH_END_DONE ? NULL : &status);
	problems_release(&problems);
}

void watch_stream_pump(struct watch_stream *watch, struct server_stream *stream)
{
	bool is_over;
	bool has_room_again;
	struct message *message;

	if (server_stream_is_sending(stream))
		return;
	message = take(watch, &is_over, &has_room_again);
	if (is_over)
		finish(watch, stream);
	if (!message)
		return;
	server_stream_send_bytes(stream, buffer_bytes(&message->bytes));
	buffer_release(&message->bytes);
	free(message);
	if (has_room_again)
		watch_hub_nudge(watch->hub);
}

void watch_stream_close(struct watch_stream *watch)
{
	(void)pthread_mutex_lock(&watch->mu);
	watch->is_gone = true;
	(void)pthread_mutex_unlock(&watch->mu);
	watch_hub_nudge(watch->hub);
	watch_stream_unref(watch);
}

/* ---- the hub's side ---- */

static enum watch_room room(void *ctx)
{
	struct watch_stream *watch = ctx;
	enum watch_room room;

	(void)pthread_mutex_lock(&watch->mu);
	room = watch->is_gone ? WATCH_GONE : watch->waiting_bytes < WATCH_ROOM_BYTES ? WATCH_ROOM : WATCH_NO_ROOM;
	(void)pthread_mutex_unlock(&watch->mu);
	return room;
}

static void put(struct watch_stream *watch, const ProtobufCMessage *content)
{
	struct message *message = xcalloc(1, sizeof(*message));
	size_t len = protobuf_c_message_get_packed_size(content);

	buffer_reserve(&message->bytes, len);
	message->bytes.len = protobuf_c_message_pack(content, message->bytes.data);
	(void)pthread_mutex_lock(&watch->mu);
	*watch->end = message;
	watch->end = &message->next;
	watch->waiting_bytes += len;
	(void)pthread_mutex_unlock(&watch->mu);
	stream_waker_wake(watch->waker);
}

static Saga__V1__SagaChange *make_change(const struct watch_change *change, struct arena *arena)
{
	Saga__V1__SagaChange *message = arena_alloc(arena, sizeof(*message));

	saga__v1__saga_change__init(message);
	message->saga = saga_head_message_make(change->head, arena);
	message->event = change->row ? saga_event_message_make(change->row, arena) : NULL;
	return message;
}

/* In parts that stay far below what a client takes; only the last has the position, since only then all is sent. */
static void on_changes(void *ctx, const struct watch_change *changes, size_t count,
		       const struct feed_position *position)
{
	size_t at = 0;
	struct arena arena;

	arena_init(&arena, 0);
	do {
		Saga__V1__WatchSagasResponse response = SAGA__V1__WATCH_SAGAS_RESPONSE__INIT;
		size_t bytes = 0;

		arena_clear(&arena);
		response.changes = arena_alloc(&arena, (CHANGES_MAX + 1) * sizeof(*response.changes));
		for (; at < count && response.n_changes < CHANGES_MAX && bytes < MESSAGE_BYTES; at++) {
			Saga__V1__SagaChange *change = make_change(&changes[at], &arena);

			response.changes[response.n_changes++] = change;
			bytes += saga__v1__saga_change__get_packed_size(change);
		}
		if (position && at == count)
			response.position = bookmark_make(BOOKMARK_POSITION, bookmark_binding(),
							  (struct bytes){(const uint8_t *)position, sizeof(*position)},
							  &arena);
		put(ctx, &response.base);
	} while (at < count);
	arena_release(&arena);
}

static void on_saga(void *ctx, const struct saga_view *view)
{
	Saga__V1__WatchSagaResponse response = SAGA__V1__WATCH_SAGA_RESPONSE__INIT;
	struct arena arena;
	struct error err;

	arena_init(&arena, 0);
	if (saga_message_make(view, false, &arena, &response.saga, &err) == 0) { /* fails for the input alone */
		response.events = saga_events_make(view, &arena);
		response.n_events = view->log_count;
		put(ctx, &response.base);
	}
	arena_release(&arena);
}

static void on_end(void *ctx, enum watch_end end, const struct error *err)
{
	struct watch_stream *watch = ctx;

	(void)pthread_mutex_lock(&watch->mu);
	watch->is_over = true;
	watch->why = end;
	if (err)
		watch->err = *err;
	(void)pthread_mutex_unlock(&watch->mu);
	stream_waker_wake(watch->waker);
}

static void on_released(void *ctx)
{
	watch_stream_unref(ctx);
}

const struct watch_sink WATCH_STREAM_SAGAS = {
	.room = room, .on_changes = on_changes, .on_end = on_end, .on_released = on_released};
const struct watch_sink WATCH_STREAM_SAGA = {
	.room = room, .on_saga = on_saga, .on_end = on_end, .on_released = on_released};
