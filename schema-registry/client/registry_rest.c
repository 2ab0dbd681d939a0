/* registry_rest.c - see registry_rest.h. */
#include "schema-registry/client/registry_rest.h"

#include <pthread.h>
#include <string.h>

#include "lib/base/memory.h"
#include "lib/http/http_client.h"

enum { IDLE_MAX = 8 };

static const char accepted[] =
	"application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json, application/json";

struct registry_rest {
	char *url;
	int64_t timeout_ms;
	pthread_mutex_t mu;
	struct http_client *idle[IDLE_MAX]; /* guarded by mu */
	int idle_count;                     /* guarded by mu */
};

struct registry_rest *registry_rest_new(const char *url, int64_t timeout_ms)
{
	struct registry_rest *rest = xcalloc(1, sizeof(*rest));
	size_t len = strlen(url);

	while (len > 0 && url[len - 1] == '/')
		len--;
	rest->url = xstrndup(url, len);
	rest->timeout_ms = timeout_ms;
	pthread_mutex_init(&rest->mu, NULL);
	return rest;
}

void registry_rest_free(struct registry_rest *rest)
{
	if (!rest)
		return;
	for (int i = 0; i < rest->idle_count; i++)
		http_client_free(rest->idle[i]);
	pthread_mutex_destroy(&rest->mu);
	free(rest->url);
	free(rest);
}

const char *registry_rest_url(const struct registry_rest *rest)
{
	return rest->url;
}

static struct http_client *take_client(struct registry_rest *rest)
{
	struct http_client *client = NULL;

	pthread_mutex_lock(&rest->mu);
	if (rest->idle_count > 0)
		client = rest->idle[--rest->idle_count];
	pthread_mutex_unlock(&rest->mu);
	return client ? client : http_client_new();
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
static int refused(int status, const json_t *answer, struct error *err)
{
	const char *message = json_string_value(json_object_get(answer, "message"));

	if (!message)
		return error_set(err, code_of_status(status), "the schema registry answered %d", status);
	return error_set(err, code_of_status(status), "the schema registry answered %d (error_code %lld): %s", status,
			 (long long)json_integer_value(json_object_get(answer, "error_code")), message);
}

static int read_answer(int status, const struct buffer *text, json_t **ret_answer, struct error *err)
{
	json_t *answer = json_loadb((const char *)text->data, text->len, JSON_DECODE_ANY, NULL);
	int result = 0;

	if (status < 200 || status > 299)
		result = refused(status, answer, err);
	else if (!answer) /* a proxy's page, or another service on that port */
		result = error_set(err, ERR_UNAVAILABLE, "the schema registry's answer is no JSON; is the URL right?");
	if (result < 0)
		json_decref(answer);
	else
		*ret_answer = answer;
	return result;
}

int registry_rest_call(struct registry_rest *rest, const char *method, const char *path, const json_t *body,
		       json_t **ret_answer, struct error *err)
{
	struct http_client *client = take_client(rest);
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct buffer url = {0};
	struct buffer answer = {0};
	struct http_call call = {.method = method,
				 .content_type = body ? "application/vnd.schemaregistry.v1+json" : NULL,
				 .accept = accepted,
				 .body = bytes_of_text(text),
				 .timeout_ms = rest->timeout_ms};
	int status = 0;
	int result;

	buffer_append_format(&url, "%s%s", rest->url, path);
	call.url = buffer_text(&url);
	result = http_client_call(client, &call, &status, &answer, err);
	if (result == 0)
		result = read_answer(status, &answer, ret_answer, err);
	give_client(rest, client);
	buffer_release(&answer);
	buffer_release(&url);
	free(text);
	return result;
}
