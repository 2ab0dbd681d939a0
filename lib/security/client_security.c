/* client_security.c - see client_security.h. */
#include "lib/security/client_security.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void check_file(const char *path, bool is_private, const char *prefix, const char *name,
		       struct problems *problems)
{
	char place[40];
	struct stat status;
	int fd;

	if (!path)
		return;
	(void)snprintf(place, sizeof(place), "%s%s", prefix, name); /* our own words, all short */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		problems_add(problems, place, "cannot read %s: %m", path);
	else if (is_private && (status.st_mode & S_IRWXO))
		problems_add(problems, place, "%s is open to every user (mode %04o): chmod 640 or 600", path,
			     (unsigned)status.st_mode & 07777);
	if (fd >= 0)
		(void)close(fd); /* only looked at */
}

void client_security_check(const struct client_security *security, const char *prefix, struct problems *problems)
{
	char place[40];

	check_file(security->ca, false, prefix, "ca", problems);
	check_file(security->certificate, false, prefix, "cert", problems);
	check_file(security->key, true, prefix, "key", problems);
	(void)snprintf(place, sizeof(place), "%scert", prefix); /* our own words, all short */
	if (!security->certificate != !security->key)
		problems_add(problems, place, "%scert and %skey belong together", prefix, prefix);
	else if (security->certificate && !security->ca)
		problems_add(problems, place, "says nothing without %sca, which turns TLS on", prefix);
	if (!security->user_info)
		return;
	(void)snprintf(place, sizeof(place), "%suser-info", prefix); /* our own words, all short */
	if (!strchr(security->user_info, ':'))
		problems_add(problems, place, "must be USER:PASSWORD");
	if (security->token)
		problems_add(problems, place, "and %stoken exclude each other: give one of them", prefix);
}
