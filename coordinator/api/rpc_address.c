/* rpc_address.c - see rpc_address.h. */
#include "coordinator/api/rpc_address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { HOST_BYTES_MAX = 255 };

static bool is_port(const char *text)
{
	char *end;
	long port;

	if (!*text || strlen(text) > 5 || strspn(text, "0123456789") != strlen(text))
		return false;
	port = strtol(text, &end, 10);
	return *end == 0 && port <= 65535;
}

/* Only addresses that are certain: a name may resolve to anything, so `localhost` is the only one taken. */
static bool is_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (strcmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static int check_unix(const char *path, struct error *err)
{
	struct sockaddr_un unused;

	if (!*path || strlen(path) >= sizeof(unused.sun_path))
		return error_set(err, ERR_INVALID, "the socket's path has %zu bytes, 1 to %zu are possible",
				 strlen(path), sizeof(unused.sun_path) - 1);
	return 0;
}

int rpc_address_check(const char *address, bool is_insecure_allowed, struct error *err)
{
	const char *colon = strrchr(address, ':');
	const char *start = address;
	char host[HOST_BYTES_MAX + 1];
	size_t len;

	if (strncmp(address, "unix:", 5) == 0)
		return check_unix(address + 5, err);
	if (!colon || colon == address || !is_port(colon + 1))
		return error_set(err, ERR_INVALID, "'%s' is no address to listen on: write HOST:PORT or unix:PATH",
				 address);
	len = (size_t)(colon - start);
	if (*start == '[' && len >= 2 && start[len - 1] == ']') {
		start++;
		len -= 2;
	}
	if (len > HOST_BYTES_MAX)
		return error_set(err, ERR_INVALID, "the host name in '%.40s…' is too long", address);
	memcpy(host, start, len);
	host[len] = 0;
	if (!is_loopback(host) && !is_insecure_allowed)
		return error_set(
			err, ERR_INVALID,
			"'%s' is reachable from other machines and gRPC is not encrypted: listen on 127.0.0.1:%s "
			"or unix:PATH, or add --insecure-listen to accept the risk",
			address, colon + 1);
	return 0;
}
