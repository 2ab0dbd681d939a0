/* tls_probe.c - see tls_probe.h. */
#include "lib/security/tls_probe.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Time-outs of the socket bound connect(), too. */
static int open_socket(const struct addrinfo *place, int64_t timeout_ms)
{
	struct timeval wait = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
	int fd = socket(place->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0 ||
	    connect(fd, place->ai_addr, place->ai_addrlen) < 0) {
		(void)close(fd); /* nothing was sent */
		return -1;
	}
	return fd;
}

static int shake_hands(int fd, const char *host, int port, struct error *err)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl = context ? SSL_new(context) : NULL;
	int result = 0;
	int rc;

	if (!ssl || SSL_set_fd(ssl, fd) != 1 || SSL_set_alpn_protos(ssl, (const unsigned char *)"\x02h2", 3) != 0)
		abort(); /* only out of memory */
	rc = SSL_connect(ssl);
	/* An alert is an answer as well; silence or a closed connection are none. */
	if (rc != 1 && SSL_get_error(ssl, rc) != SSL_ERROR_SSL)
		result = error_set(err, ERR_TIMEOUT, "nobody answers the handshake of TLS at %s port %d", host, port);
	SSL_free(ssl);
	SSL_CTX_free(context);
	return result;
}

int tls_probe(const char *host, int port, int64_t timeout_ms, struct error *err)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char port_text[8];
	int fd;
	int result;

	(void)snprintf(port_text, sizeof(port_text), "%d", port);
	if (getaddrinfo(host, port_text, &hints, &found) != 0)
		return error_set(err, ERR_INVALID, "'%s' is no address", host);
	fd = open_socket(found, timeout_ms);
	freeaddrinfo(found);
	if (fd < 0)
		return error_set(err, ERR_UNAVAILABLE, "cannot connect to %s port %d: %m", host, port);
	result = shake_hands(fd, host, port, err);
	(void)close(fd); /* nothing is in it that must go out */
	return result;
}
