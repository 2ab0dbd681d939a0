/*
 * http_tls.h - who is at the other end of a TLS connection; inside lib/http only. libmicrohttpd leaves that to GnuTLS.
 */
#ifndef LIB_HTTP_HTTP_TLS_H
#define LIB_HTTP_HTTP_TLS_H

#include <microhttpd.h>
#include <stdbool.h>

#include "lib/security/access.h"

/* The client has shown a certificate that the authority of the server's trust has signed, and that is valid now. */
bool http_tls_is_verified(struct MHD_Connection *connection);

/* By the first subject alternative name that somebody has; without one the identity stays as it was. */
void http_tls_identify(struct MHD_Connection *connection, struct access *access, struct identity *identity);

#endif
