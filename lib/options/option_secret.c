/* option_secret.c - see option_secret.h. */
#include "lib/options/option_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/memory.h"

enum { SECRET_BYTES_MAX = 64 * 1024 };

/* Where `password = x` or `sslpassword=x` of a connection string begins and ends its value; false: no more of them. */
static bool find_keyword(const char *text, const char **ret_start, const char **ret_end)
{
	for (const char *at = strstr(text, "password"); at; at = strstr(at + 1, "password")) {
		const char *value = at + strlen("password");

		value += strspn(value, " ");
		if (*value != '=')
			continue; /* as in `dbname=passwords` or `passfile` */
		value += 1 + strspn(value + 1, " ");
		*ret_start = value;
		if (*value == '\'') {
			const char *quote = strchr(value + 1, '\'');

			*ret_end = quote ? quote + 1 : value + strlen(value);
		} else {
			*ret_end = value + strcspn(value, " &");
		}
		return *ret_end > *ret_start;
	}
	return false;
}

/* The password of `scheme://user:password@host`. */
static bool find_user_info(const char *text, const char **ret_start, const char **ret_end)
{
	const char *authority = strstr(text, "://");
	size_t len;
	const char *at;
	const char *colon;

	if (!authority)
		return false;
	authority += 3;
	len = strcspn(authority, "/?#");
	at = memrchr(authority, '@', len);
	colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
	if (!colon || colon + 1 == at)
		return false;
	*ret_start = colon + 1;
	*ret_end = at;
	return true;
}

bool option_text_is_secret(const struct option *option, const char *text)
{
	const char *start;
	const char *end;

	if (option->is_secret)
		return true;
	return option->type == OPTION_TEXT && (find_user_info(text, &start, &end) || find_keyword(text, &start, &end));
}

static bool is_name_of_secret(const char *name)
{
	return strstr(name, "password") || strstr(name, "secret") || strcmp(name, "ssl.key.pem") == 0 ||
	       strcmp(name, "sasl.oauthbearer.config") == 0;
}

bool option_property_is_secret(const char *name, const char *value)
{
	const char *start;
	const char *end;

	return is_name_of_secret(name) || find_user_info(value, &start, &end);
}

/* What follows its password; NULL: there is none. */
static const char *append_user_info_masked(struct buffer *out, const char *text)
{
	const char *start;
	const char *end;

	if (!find_user_info(text, &start, &end))
		return NULL;
	buffer_append(out, text, (size_t)(start - text));
	buffer_append_text(out, "***");
	return end;
}

void option_property_append_masked(struct buffer *out, const char *name, const char *value)
{
	const char *rest;

	if (is_name_of_secret(name)) {
		buffer_append_text(out, "***");
		return;
	}
	rest = append_user_info_masked(out, value);
	buffer_append_text(out, rest ? rest : value);
}

void option_text_append_masked(struct buffer *out, const struct option *option, const char *text)
{
	const char *start;
	const char *end;
	const char *rest;

	if (option->is_secret) {
		buffer_append_text(out, "***");
		return;
	}
	rest = option->type == OPTION_TEXT ? append_user_info_masked(out, text) : NULL;
	text = rest ? rest : text;
	while (option->type == OPTION_TEXT && find_keyword(text, &start, &end)) {
		buffer_append(out, text, (size_t)(start - text));
		buffer_append_text(out, "***");
		text = end;
	}
	buffer_append_text(out, text);
}

bool option_file_is_open_to_all(const struct stat *status)
{
	return (status->st_mode & (S_IRWXO)) != 0;
}

static int read_all(int fd, const char *path, char **ret_text, struct error *err)
{
	_cleanup_(freep)
	char *text = xmalloc(SECRET_BYTES_MAX + 1);
	ssize_t len = read(fd, text, SECRET_BYTES_MAX + 1);

	if (len < 0)
		return error_set(err, ERR_INVALID, "cannot read %s: %m", path);
	if (len > SECRET_BYTES_MAX)
		return error_set(err, ERR_INVALID, "%s has more than %d bytes", path, SECRET_BYTES_MAX);
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	text[len] = 0;
	if (len == 0 || strlen(text) != (size_t)len)
		return error_set(err, ERR_INVALID, "%s %s", path, len == 0 ? "is empty" : "holds a zero byte");
	*ret_text = take_ptr(text);
	return 0;
}

int option_secret_read(const char *path, char **ret_text, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	int result;

	if (fd < 0)
		return error_set(err, ERR_INVALID, "cannot read %s: %m", path);
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		result = error_set(err, ERR_INVALID, "%s is no regular file", path);
	else if (option_file_is_open_to_all(&status))
		result = error_set(err, ERR_INVALID, "%s is open to every user (mode %04o): chmod 640 or 600", path,
				   (unsigned)status.st_mode & 07777);
	else
		result = read_all(fd, path, ret_text, err);
	(void)close(fd); /* only read from */
	return result;
}
