/* definition_folder.c - see definition_folder.h. */
#include "coordinator/definition_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/shutdown.h"

enum { SOURCE_BYTES_MAX = 1024 * 1024, RETRY_MS = 1000 };

/* No caller has this name: an access file's names have no blanks. */
static const char CREATOR[] = "definitions folder";

static int read_file(const char *path, struct buffer *out, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return error_set(err, ERR_NOT_FOUND, "cannot open %s: %s", path, strerror(errno));
	do {
		buffer_reserve(out, 65536);
		len = read(fd, out->data + out->len, 65536);
		if (len > 0)
			out->len += (size_t)len;
	} while (len > 0 && out->len <= SOURCE_BYTES_MAX);
	(void)close(fd); /* it was only read */
	if (len < 0)
		return error_set(err, ERR_INVALID, "cannot read %s: %s", path, strerror(errno));
	if (out->len > SOURCE_BYTES_MAX)
		return error_set(err, ERR_LIMIT, "%s has more than %d bytes", path, SOURCE_BYTES_MAX);
	return 0;
}

static void log_problems(const char *path, const struct problems *problems, const struct error *err)
{
	for (size_t i = 0; i < problems_kept(problems); i++)
		log_error("definition_refused", "place=%s detail=%s", LOG_TEXT(problems->items[i].place),
			  LOG_TEXT(problems->items[i].text));
	if (problems->count == 0)
		log_error("definition_refused", "file=%s err=%s", LOG_TEXT(path), LOG_TEXT(err->msg));
}

/* True when that file is settled, for better or worse. */
static bool try_register(const char *path, const char *name, struct catalog *catalog, bool is_first)
{
	struct buffer source = {0};
	struct catalog_upload upload = {.file_name = name, .creator = CREATOR};
	const struct plan *plan;
	struct problems problems;
	bool is_created;
	bool is_settled = true;
	bool is_read;
	struct error err;

	problems_init(&problems);
	is_read = read_file(path, &source, &err) == 0;
	upload.source = buffer_bytes(&source);
	if (!is_read) {
		log_problems(path, &problems, &err);
	} else if (catalog_put(catalog, &upload, &plan, &is_created, &problems, &err) == 0) {
		log_info("definition_registered", "definition=%s version=%d created=%s", plan->definition.name,
			 plan->definition.version, is_created ? "true" : "false");
	} else if (err.is_retriable) {
		is_settled = false;
		if (is_first)
			log_warn("definition_waits", "file=%s err=%s, trying every second", LOG_TEXT(path),
				 LOG_TEXT(err.msg));
	} else {
		log_problems(path, &problems, &err);
	}
	problems_release(&problems);
	buffer_release(&source);
	return is_settled;
}

static void register_file(const char *folder, const char *name, struct catalog *catalog)
{
	struct buffer path = {0};
	bool is_first = true;

	buffer_append_format(&path, "%s/%s", folder, name);
	while (!shutdown_requested() && !try_register(buffer_text(&path), name, catalog, is_first)) {
		struct pollfd stop = {.fd = shutdown_fd(), .events = POLLIN};

		is_first = false;
		(void)poll(&stop, 1, RETRY_MS); /* whatever woke it, the loop looks */
	}
	buffer_release(&path);
}

static int is_definition(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && dot != entry->d_name && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

void definition_folder_register(const char *folder, struct catalog *catalog)
{
	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, is_definition, alphasort);

	if (count < 0) {
		log_error("definitions_unreadable", "folder=%s err=%s", LOG_TEXT(folder), LOG_TEXT(strerror(errno)));
		return;
	}
	for (int i = 0; i < count; i++) {
		register_file(folder, entries[i]->d_name, catalog);
		free(entries[i]);
	}
	free(entries);
}
