/*
 * http_framing.h - is the head of a request such that everybody on the way agrees where the request ends?
 *
 * Why:        a proxy and a server that read the same bytes as different requests let one client speak in another's name
 *             (RFC 9112, 11.2). libmicrohttpd takes much that is ambiguous, and what it takes it reads in its own way.
 * Guarantees: what passes has one length at most, a transfer coding or none, names and values of the characters that they may
 *             have, and in HTTP/1.1 exactly one Host.
 * Not here:   chunks, line ends, and a length that is no number: libmicrohttpd refuses those itself, and ends the connection
 *             (0.9.75 sends the head of its refusal of a wrong length twice, where its text should be). It cuts a request
 *             line or a header's value at a zero byte, which nobody sees here.
 */
#ifndef LIB_HTTP_HTTP_FRAMING_H
#define LIB_HTTP_HTTP_FRAMING_H

#include <microhttpd.h>

/* NULL: it is sound. Else what is wrong, and the status to refuse it with; the connection must end then. */
const char *http_framing_fault(struct MHD_Connection *connection, const char *uri, const char *version,
			       int *ret_status);

#endif
