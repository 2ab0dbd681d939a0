/* process.c - see process.h. Input and output are files in memory: no pipe can fill up while the other one is waited for. */
#include "cli/process.h"

#include <errno.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/memory.h"

enum { COMPLAINT_BYTES_MAX = 300 };

extern char **environ;

struct streams {
	int in;
	int out;
	int complaints;
};

static void close_streams(struct streams *streams)
{
	(void)close(streams->in); /* memory alone: nothing can be lost */
	(void)close(streams->out);
	(void)close(streams->complaints);
}

static bool write_all(int fd, struct bytes data)
{
	while (data.len > 0) {
		ssize_t step = write(fd, data.data, data.len);

		if (step < 0 && errno != EINTR)
			return false;
		if (step > 0) {
			data.data += step;
			data.len -= (size_t)step;
		}
	}
	return lseek(fd, 0, SEEK_SET) == 0;
}

static int read_file(int fd, size_t max, struct buffer *content, struct error *err)
{
	struct stat status;
	size_t len;

	if (fstat(fd, &status) < 0)
		return error_set(err, ERR_INTERNAL, "cannot read its output: %s", strerror(errno));
	len = (size_t)status.st_size;
	if (len > max)
		return error_set(err, ERR_LIMIT, "it wrote more than %zu bytes", max);
	buffer_reserve(content, len);
	for (size_t at = 0; at < len;) {
		ssize_t step = pread(fd, content->data + at, len - at, (off_t)at);

		if (step <= 0 && errno != EINTR)
			return error_set(err, ERR_INTERNAL, "cannot read its output: %s", strerror(errno));
		at += step > 0 ? (size_t)step : 0;
	}
	content->len = len;
	buffer_append(content, "", 0); /* the NUL at its end */
	return 0;
}

static int spawn(const char *const *argv, const struct streams *streams, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	int failure;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, streams->in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, streams->out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, streams->complaints, STDERR_FILENO);
	failure = posix_spawnp(ret_pid, argv[0], &actions, NULL, (char **)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return failure;
}

static int await(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int complain(const struct streams *streams, const char *program, int code, struct error *err)
{
	_cleanup_(buffer_release)
	struct buffer text = {0};
	struct error ignored;
	const char *line;
	size_t len;

	(void)read_file(streams->complaints, COMPLAINT_BYTES_MAX * 100, &text,
			&ignored); /* without it the code has to do */
	line = buffer_text(&text);
	len = strcspn(line, "\n");
	return error_set(err, ERR_INVALID, "%s ended with %d: %.*s", program, code,
			 len < COMPLAINT_BYTES_MAX ? (int)len : COMPLAINT_BYTES_MAX, line);
}

static int run_with(const struct streams *streams, const char *const *argv, struct bytes input, size_t output_max,
		    struct buffer *output, struct error *err)
{
	int failure;
	pid_t pid;
	int code;

	if (streams->in < 0 || streams->out < 0 || streams->complaints < 0 || !write_all(streams->in, input))
		return error_set(err, ERR_INTERNAL, "cannot run %s: %s", argv[0], strerror(errno));
	failure = spawn(argv, streams, &pid);
	if (failure)
		return error_set(err, ERR_UNAVAILABLE, "cannot run %s: %s", argv[0], strerror(failure));
	code = await(pid);
	if (code != 0)
		return complain(streams, argv[0], code, err);
	if (read_file(streams->out, output_max, output, err) < 0)
		return error_prefix(err, "%s", argv[0]);
	return 0;
}

int process_run(const char *const *argv, struct bytes input, size_t output_max, struct buffer *ret_output,
		struct error *err)
{
	struct streams streams = {memfd_create("input", MFD_CLOEXEC), memfd_create("output", MFD_CLOEXEC),
				  memfd_create("complaints", MFD_CLOEXEC)};
	struct buffer output = {0};
	int result = run_with(&streams, argv, input, output_max, &output, err);

	close_streams(&streams);
	if (result == 0)
		*ret_output = output;
	else
		buffer_release(&output);
	return result;
}
