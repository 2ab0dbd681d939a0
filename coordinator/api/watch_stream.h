/*
 * watch_stream.h - one open watch: between the hub's thread, which fills it, and the server's, which sends it.
 *
 * Limits:     the hub serves it only while less than WATCH_ROOM_BYTES wait here, so it holds that and one read more,
 *             however slowly its client reads.
 * Threads:    fields are guarded by a lock of its own; the hub's part is the sink, the server's part the functions below.
 * Ownership:  lives until both sides have let go of it.
 */
#ifndef COORDINATOR_API_WATCH_STREAM_H
#define COORDINATOR_API_WATCH_STREAM_H

#include "coordinator/api/rpc_server.h"
#include "coordinator/watch/watch_hub.h"

enum { WATCH_ROOM_BYTES = 256 * 1024 };

struct watch_stream;

extern const struct watch_sink WATCH_STREAM_SAGAS; /* its ctx is a watch_stream */
extern const struct watch_sink WATCH_STREAM_SAGA;

/* `saga_id`: of WatchSaga, for its errors. For both sides: who adds it to the hub has one reference for it, and the stream's state is the other. */
struct watch_stream *watch_stream_new(struct watch_hub *hub, struct server_stream *stream, struct uuid saga_id);
void watch_stream_unref(struct watch_stream *watch);
void watch_stream_pump(struct watch_stream *watch, struct server_stream *stream); /* sends what may be sent */
void watch_stream_close(struct watch_stream *watch);                              /* the client is gone */

#endif
