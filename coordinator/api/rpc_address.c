/* rpc_address.c - see rpc_address.h. */
#include "coordinator/api/rpc_address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/security/listen_rule.h"

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

static int check_unix(const char *path, struct error *err)
{
	struct sockaddr_un unused;

	if (!*path || strlen(path) >= sizeof(unused.sun_path))
		return error_set(err, ERR_INVALID, "the socket's path has %zu bytes, 1 to %zu are possible",
				 strlen(path), sizeof(unused.sun_path) - 1);
	return 0;
}

int rpc_address_check_free(const char *address, struct error *err)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	bool is_taken;
	int fd;

	if (strncmp(address, "unix:", 5) != 0)
		return 0;
	(void)snprintf(name.sun_path, sizeof(name.sun_path), "%s", address + 5);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0; /* whoever binds will say so */
	is_taken = connect(fd, (const struct sockaddr *)&name, sizeof(name)) == 0;
	(void)close(fd);
	if (is_taken)
		return error_set(err, ERR_CONFLICT, "cannot listen on %s for gRPC: another process listens there",
				 address);
	return 0;
}

/* True: HOST:PORT, the host without the brackets of IPv6. */
static bool split(const char *address, char ret_host[HOST_BYTES_MAX + 1])
{
	const char *colon = strrchr(address, ':');
	const char *start = address;
	size_t len;

	if (!colon || colon == address || !is_port(colon + 1))
		return false;
	len = (size_t)(colon - start);
	if (*start == '[' && len >= 2 && start[len - 1] == ']') {
		start++;
		len -= 2;
	}
	if (len > HOST_BYTES_MAX)
		return false;
	memcpy(ret_host, start, len);
	ret_host[len] = 0;
	return true;
}

int rpc_address_check(const char *address, struct error *err)
{
	char host[HOST_BYTES_MAX + 1];

	if (strncmp(address, "unix:", 5) == 0)
		return check_unix(address + 5, err);
	if (!split(address, host))
		return error_set(err, ERR_INVALID, "'%.300s' is no address to listen on: write HOST:PORT or unix:PATH",
				 address);
	return 0;
}

bool rpc_address_is_local(const char *address)
{
	char host[HOST_BYTES_MAX + 1];

	return strncmp(address, "unix:", 5) == 0 || (split(address, host) && listen_is_loopback(host));
}
