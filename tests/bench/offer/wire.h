/*
 * wire.h - unary gRPC calls over HTTP/2 connections of our own, for next to no CPU.
 *
 * Why:        who floods a server on the same machine must not take the CPU that is measured: a call of the gRPC library
 *             costs its client more than its server. This does the little of HTTP/2 that the calls of one method need.
 * Guarantees: keeps to what a server allows (streams at a time, flow control): what is beyond it waits here, in order. Each
 *             call is answered once; those of a connection that was lost with WIRE_LOST.
 * Not here:   messages of more than a stream's window at the beginning (64 KB), TLS, redirection, compression, a deadline.
 * Threads:    the owner's only; answers come inside of wire_turn() and wire_free().
 */
#ifndef TESTS_BENCH_WIRE_H
#define TESTS_BENCH_WIRE_H

#include <stddef.h>

#include "lib/base/bytes.h"

enum { WIRE_LOST = -1 };

/* `status`: gRPC's, or WIRE_LOST; `message` is borrowed, empty where there is none. */
typedef void wire_answer_fn(void *ctx, void *call, int status, struct bytes message);

struct wire;

/* To `target`, 127.0.0.1:PORT or the like, with so many connections that calls use in turn; blocks. */
NODISCARD int wire_new(const char *target, const char *path, size_t connections, wire_answer_fn *answer, void *ctx,
		       struct wire **ret_wire, struct error *err);
void wire_free(struct wire *wire);
void wire_call(struct wire *wire, struct bytes message,
	       void *call);                     /* the message is copied; goes out with the next turn */
void wire_turn(struct wire *wire, int wait_ms); /* sends what may be sent, and takes what comes within that time */

#endif
