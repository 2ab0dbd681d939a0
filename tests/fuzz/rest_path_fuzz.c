/* rest_path_fuzz.c - any text as a request's target, its media types and the subjects in it. */
#include "lib/http/http_request.h"
#include "schema-registry/server/rest.h"
#include "tests/fuzz/fuzz.h"

static void read_subject(struct arena *arena, const char *text)
{
	struct subject subject = subject_parse(arena, CONTEXT_DEFAULT, text);
	struct subject again = subject_parse(arena, CONTEXT_DEFAULT, subject_format(arena, subject));

	CLAIM(subject.context[0] == '.', "a context without its dot");
	CLAIM(subject_equal(subject, again), "'%s' is another subject when it is read again", text);
	(void)subject_is_valid(subject);
	(void)context_parse(arena, text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"};
	_cleanup_(arena_release)
	struct arena arena = {0};
	const char *text = arena_strndup(&arena, (const char *)data, len);
	struct http_request *request = http_request_new(text);
	const char *why = NULL;

	(void)rest_choose_type(text);
	(void)rest_takes_type(text);
	if (http_request_split(request, &why)) {
		for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
			struct rest_match match = rest_find_route(methods[i], request->parts, request->part_count);

			CLAIM(!match.route || match.is_path_known, "a route on an unknown path");
			for (size_t k = 0; k < REST_ARGS_MAX && match.args[k]; k++)
				read_subject(&arena, match.args[k]);
		}
	}
	http_request_free(request);
	return 0;
}
