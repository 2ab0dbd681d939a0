/* registry_rest.c - see registry_rest.h. */
#include "schema-registry/client/registry_rest.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/memory.h"
#include "lib/http/http_client.h"

enum { IDLE_MAX = 8 };

static const char accepted[] =
	"application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json, application/json";

struct base {              /* one of the registry's addresses */
	char *url;         /* without credentials and without a slash at its end */
	char *credentials; /* "user:password", or NULL */
};

struct registry_rest {
	char *name; /* the URLs, separated by commas */
	struct base *bases;
	size_t base_count;
	_Atomic size_t current; /* the one that answered last: asked first */
	int64_t timeout_ms;
	struct client_security security;
	pthread_mutex_t mu;
	struct http_client *idle[IDLE_MAX]; /* guarded by mu */
	int idle_count;                     /* guarded by mu */
};

static int digit_of(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* In a URL a password's `@` and `/` are written %40 and %2F. */
static void decode_percent(char *text)
{
	char *out = text;

	for (; *text; text++) {
		int high = *text == '%' ? digit_of(text[1]) : -1;
		int low = high >= 0 ? digit_of(text[2]) : -1;

		if (low >= 0) {
			*out++ = (char)(high << 4 | low);
			text += 2;
		} else {
			*out++ = *text;
		}
	}
	*out = 0;
}

/* `http://user:password@host:port/` */
static struct base make_base(const char *text, size_t len)
{
	const char *scheme_end = memmem(text, len, "://", 3);
	const char *host = scheme_end ? scheme_end + 3 : text;
	const char *end = text + len;
	const char *slash = memchr(host, '/', (size_t)(end - host));
	const char *at = memrchr(host, '@', (size_t)((slash ? slash : end) - host));
	struct buffer url = {0};
	struct base base = {0};

	while (end > host && end[-1] == '/')
		end--;
	if (at) {
		base.credentials = xstrndup(host, (size_t)(at - host));
		decode_percent(base.credentials);
	}
	buffer_append(&url, text, (size_t)(host - text));
	host = at ? at + 1 : host;
	buffer_append(&url, host, end > host ? (size_t)(end - host) : 0);
	base.url = xstrdup(buffer_text(&url));
	buffer_release(&url);
	return base;
}

static void add_base(struct registry_rest *rest, const char *text, size_t len)
{
	rest->bases = xrealloc_array(rest->bases, rest->base_count + 1, sizeof(*rest->bases));
	rest->bases[rest->base_count++] = make_base(text, len);
}

struct registry_rest *registry_rest_new(const char *urls, int64_t timeout_ms, const struct client_security *security)
{
	struct registry_rest *rest = xcalloc(1, sizeof(*rest));
	struct buffer name = {0};

	while (*urls) {
		size_t len = strcspn(urls, ", ");

		if (len > 0)
			add_base(rest, urls, len);
		urls += len;
		urls += strspn(urls, ", ");
	}
	if (rest->base_count == 0)
		add_base(rest, "", 0); /* the first request says that it is no URL */
	for (size_t i = 0; i < rest->base_count; i++)
		buffer_append_format(&name, "%s%s", i > 0 ? "," : "", rest->bases[i].url);
	rest->name = xstrdup(buffer_text(&name));
	buffer_release(&name);
	rest->timeout_ms = timeout_ms;
	rest->security = *security;
	pthread_mutex_init(&rest->mu, NULL);
	return rest;
}

void registry_rest_free(struct registry_rest *rest)
{
	if (!rest)
		return;
	for (int i = 0; i < rest->idle_count; i++)
		http_client_free(rest->idle[i]);
	for (size_t i = 0; i < rest->base_count; i++) {
		free(rest->bases[i].url);
		free(rest->bases[i].credentials);
	}
	pthread_mutex_destroy(&rest->mu);
	free(rest->bases);
	free(rest->name);
	free(rest);
}

const char *registry_rest_name(const struct registry_rest *rest)
{
	return rest->name;
}

static struct http_client *take_client(struct registry_rest *rest)
{
	struct http_client *client = NULL;

	pthread_mutex_lock(&rest->mu);
	if (rest->idle_count > 0)
		client = rest->idle[--rest->idle_count];
	pthread_mutex_unlock(&rest->mu);
	if (!client) {
		client = http_client_new();
		http_client_secure(client, &rest->security);
	}
	return client;
}

static void give_client(struct registry_rest *rest, struct http_client *client)
{
	pthread_mutex_lock(&rest->mu);
	if (rest->idle_count < IDLE_MAX) {
		rest->idle[rest->idle_count++] = client;
		client = NULL;
	}
	pthread_mutex_unlock(&rest->mu);
	http_client_free(client);
}

static enum err_code code_of_status(int status)
{
	switch (status) {
	case 400:
	case 422:
		return ERR_INVALID;
	case 404:
		return ERR_NOT_FOUND;
	case 409:
		return ERR_INCOMPATIBLE;
	case 408:
	case 429:
		return ERR_UNAVAILABLE;
	default:
		return status >= 500 ? ERR_UNAVAILABLE : ERR_INTERNAL;
	}
}

/* The registry's own words, where it has any. */
static int refused(int status, const json_t *answer, struct buffer *words, struct error *err)
{
	const char *message = json_string_value(json_object_get(answer, "message"));
	const char *advice = "";

	if (words && message)
		buffer_append_text(words, message);
	if (status == 401)
		advice = "; show it a credential: registry-token, registry-user-info, or user:password in the URL";
	else if (status == 403)
		advice = "; the credential that was shown may not do this";
	if (!message)
		return error_set(err, code_of_status(status), "the schema registry answered %d%s", status, advice);
	return error_set(err, code_of_status(status), "the schema registry answered %d (error_code %lld): %s%s", status,
			 (long long)json_integer_value(json_object_get(answer, "error_code")), message, advice);
}

static int read_answer(int status, const struct buffer *text, struct buffer *words, json_t **ret_answer,
		       struct error *err)
{
	json_t *answer = json_loadb((const char *)text->data, text->len, JSON_DECODE_ANY, NULL);
	int result = 0;

	if (status < 200 || status > 299)
		result = refused(status, answer, words, err);
	else if (!answer) /* a proxy's page, or another service on that port */
		result = error_set(err, ERR_UNAVAILABLE, "the schema registry's answer is no JSON; is the URL right?");
	if (result < 0)
		json_decref(answer);
	else
		*ret_answer = answer;
	return result;
}

struct request {
	struct http_call call; /* without what the address says */
	const char *path;
	struct buffer *words; /* NULL: nobody wants them */
};

static int call_base(struct registry_rest *rest, const struct base *base, struct request *request, json_t **ret_answer,
		     struct error *err)
{
	struct http_client *client = take_client(rest);
	struct buffer url = {0};
	struct buffer answer = {0};
	int status = 0;
	int result;

	buffer_append_format(&url, "%s%s", base->url, request->path);
	request->call.url = buffer_text(&url);
	request->call.credentials = base->credentials;
	result = http_client_call(client, &request->call, &status, &answer, err);
	if (result == 0)
		result = read_answer(status, &answer, request->words, ret_answer, err);
	give_client(rest, client);
	buffer_release(&answer);
	buffer_release(&url);
	return result;
}

/* An address that is away or broken (5xx) is passed over; each request of ours may be sent twice. */
static int call_any(struct registry_rest *rest, struct request *request, json_t **ret_answer, struct error *err)
{
	size_t first = rest->current;
	int result = -1;

	request->call.accept = accepted;
	request->call.timeout_ms = rest->timeout_ms;
	for (size_t turn = 0; turn < rest->base_count && result < 0; turn++) {
		size_t at = (first + turn) % rest->base_count;

		if (request->words)
			buffer_clear(request->words);
		result = call_base(rest, &rest->bases[at], request, ret_answer, err);
		if (result == 0)
			rest->current = at;
		else if (!err->is_retriable)
			break;
	}
	return result;
}

int registry_rest_post(struct registry_rest *rest, const char *path, const json_t *body, struct buffer *words,
		       json_t **ret_answer, struct error *err)
{
	char *text = json_dumps(body, JSON_COMPACT);
	struct request request = {.call = {.method = "POST",
					   .content_type = "application/vnd.schemaregistry.v1+json",
					   .body = bytes_of_text(text)},
				  .path = path,
				  .words = words};
	int result = call_any(rest, &request, ret_answer, err);

	free(text);
	return result;
}

int registry_rest_get(struct registry_rest *rest, const char *before, const char *name, const char *after,
		      json_t **ret_answer, struct error *err)
{
	struct request request = {.call.method = "GET"};
	_cleanup_(buffer_release)
	struct buffer path = {0};

	buffer_append_text(&path, before);
	http_append_path_part(&path, name);
	buffer_append_text(&path, after);
	request.path = buffer_text(&path);
	return call_any(rest, &request, ret_answer, err);
}

int registry_rest_number(const json_t *answer, const char *key, int32_t *ret_number, struct error *err)
{
	json_int_t number = json_integer_value(json_object_get(answer, key));

	if (number < 1 || number > INT32_MAX)
		return error_set(err, ERR_CORRUPT, "the schema registry's answer has no usable '%s'", key);
	*ret_number = (int32_t)number;
	return 0;
}
