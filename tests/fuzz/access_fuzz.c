/* access_fuzz.c - any text as an access file, and as a request's `authorization` header. */
#include "lib/security/access.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/memory_file.h"

static const char ENTRY[] = "token alice viewer "
			    "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\n"; /* of "foo" */

static void read_file(const char *path)
{
	struct access_file *file = NULL;
	struct problems problems;

	problems_init(&problems);
	if (access_file_read(path, &file, &problems) < 0)
		CLAIM(problems.count > 0, "refused without a reason");
	for (size_t i = 0; file && i < file->count; i++) {
		CLAIM(strlen(file->entries[i].name) <= ACCESS_NAME_BYTES_MAX, "a name of %zu bytes",
		      strlen(file->entries[i].name));
		CLAIM(file->entries[i].roles != 0, "an identity without roles");
	}
	access_file_free(file);
	problems_release(&problems);
}

static struct access *open_access(void)
{
	struct memory_file file = memory_file_new(ENTRY, strlen(ENTRY));
	struct access *access = NULL;
	struct error err;

	CLAIM(access_new(file.path, &access, &err) == 0, "%s", err.msg);
	memory_file_release(&file);
	return access;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct access *access;
	struct memory_file file = memory_file_new(data, len);
	struct identity identity;

	read_file(file.path);
	memory_file_release(&file);
	if (!access)
		access = open_access();
	access_begin(access, &identity);
	if (access_by_header(access, (struct bytes){data, len}, &identity))
		CLAIM(len >= strlen("Basic Zm9v") && strcmp(identity.name, "alice") == 0, "known without the token");
	else
		CLAIM(!identity.is_known && identity.roles == 0, "roles without a token");
	return 0;
}
