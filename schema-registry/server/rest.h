/*
 * rest.h - the registry's HTTP face: finds the route, checks media types, runs the rule in a session, answers JSON.
 *
 * Reading order: rest_routes.c (the table of all paths), rest.c (what is common to them), then one file a resource.
 * Threads:       rest_handle() on the HTTP server's threads.
 */
#ifndef SCHEMA_REGISTRY_SERVER_REST_H
#define SCHEMA_REGISTRY_SERVER_REST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/http/http_server.h"
#include "lib/http/rate_limit.h"
#include "lib/metrics/metrics.h"
#include "lib/security/access.h"
#include "schema-registry/server/registry.h"
#include "schema-registry/server/session.h"

enum { REST_ARGS_MAX = 4 };

enum rest_status_class { REST_STATUS_OK, REST_STATUS_REFUSED, REST_STATUS_FAILED, REST_STATUS_COUNT };

struct rest { /* what all requests share; read-only while the server runs */
	struct sessions *sessions;
	struct metrics *metrics;
	struct metric *requests[REST_STATUS_COUNT];
	struct metric *limited;
	struct http_server_metrics connections;
	struct metric *seconds;
	const char *environment;
	struct access *access;    /* NULL: whoever reaches the address may do all */
	struct rate_limit *limit; /* NULL: none */
	_Atomic uint16_t port;    /* known for sure only when the server runs */
};

struct rest_route;

struct rest_call { /* one request on its way through a route */
	const struct rest *rest;
	const struct http_request *request;
	struct http_response *response;
	struct session *session;
	const char *context;    /* of subjects that name none */
	struct subject subject; /* that the path names, or the one that its alias means; else the whole context */
	const char *args[REST_ARGS_MAX]; /* what stands for the braces of the route's path */
	json_t *body;                    /* an object, where the route takes one */
	json_t *answer;
	const struct rest_route *route;
	bool wants_news;          /* the client takes members that an older API did not have */
	const char *context_part; /* of a `/contexts/{}` in front of the path, or NULL */
};

enum rest_route_flags {
	ROUTE_BODY = 1,    /* takes a JSON object */
	ROUTE_SERVICE = 2, /* for whoever runs us, not for clients: any media type; opens no session */
	ROUTE_SUBJECT = 4, /* its first brace is a subject … */
	ROUTE_ALIAS = 8,   /* … and an alias stands for the subject that it names */
};

struct rest_route {
	const char *method;
	const char *path; /* `/subjects/{}/versions` */
	int (*handle)(struct rest_call *call);
	unsigned flags;
	enum role role; /* that the caller needs */
};

struct rest_match {
	const struct rest_route *route; /* NULL: none */
	bool is_path_known;             /* the path has routes for other methods … */
	char allow[40];                 /* … namely these, separated by commas */
	const char *context;            /* of a `/contexts/{}` in front, or NULL */
	const char *args[REST_ARGS_MAX];
};

void rest_init(struct rest *rest, struct sessions *sessions, struct metrics *metrics, const char *environment);
void rest_handle(void *ctx, const struct http_request *request, struct http_response *response);
/* For http_server_options: what the server refuses by itself, in the registry's words. */
void rest_refuse(struct http_response *response, int status, const char *code, const char *text);

/* Parts of the path as http_request_part() gives them. */
struct rest_match rest_find_route(const char *method, const char *const *parts, size_t part_count);

/* The media type to answer with, or NULL where the client takes none of ours. `accept` may be NULL. */
const char *rest_choose_type(const char *accept);
bool rest_takes_type(const char *content_type); /* of a body; NULL: not told, which is fine */

/* ---- what routes use; int: 0, or -1 after a refusal ---- */
int rest_answer(struct rest_call *call, json_t *answer); /* takes it over; 0 */
int rest_answer_text(struct rest_call *call, const char *text);
bool rest_flag(const struct rest_call *call, const char *name); /* `?name=true` */
NODISCARD int rest_number(struct rest_call *call, const char *name, int64_t otherwise, int64_t *ret_number);
NODISCARD int rest_id_arg(struct rest_call *call, int index, int32_t *ret_id);
NODISCARD int rest_version_arg(struct rest_call *call, int index, int32_t *ret_version);
NODISCARD int rest_check_rule_set(struct rest_call *call); /* of the body */
NODISCARD int rest_schema_input(struct rest_call *call, struct schema_input *ret_input);
/* In the form that `?format=` asks for. */
NODISCARD int rest_schema_text(struct rest_call *call, const char *context, const struct stored_schema *schema,
			       const char **ret_text);
const char *rest_guid(struct rest_call *call, const struct stored_schema *schema);
NODISCARD int rest_schema_json(struct rest_call *call, const char *context, const struct stored_schema *schema,
			       json_t **ret_object);
/* With subject, version and id. */
NODISCARD int rest_registered_json(struct rest_call *call, const struct registered *registered, json_t **ret_object);
int rest_answer_registered(struct rest_call *call, const struct registered *registered);
/* `subjectPrefix`, `offset` and `limit` into what is zero; `limit_max` also where none is given, negative: none. */
NODISCARD int rest_subject_filter(struct rest_call *call, int64_t limit_max, struct subject_filter *filter);
/* `offset` and `limit` of a list that is all here: moves *first and *count to the part that is asked for. */
NODISCARD int rest_page(struct rest_call *call, size_t *ret_first, size_t *count);
json_t *rest_numbers_json(const int32_t *numbers, size_t count);

/* ---- the routes (rest_schemas.c, rest_subjects.c, rest_settings.c, rest_service.c) ---- */
int rest_search_schemas(struct rest_call *call);
int rest_get_types(struct rest_call *call);
int rest_get_schema(struct rest_call *call);
int rest_get_schema_text(struct rest_call *call);
int rest_get_schema_versions(struct rest_call *call);
int rest_get_schema_subjects(struct rest_call *call);
int rest_get_by_guid(struct rest_call *call);
int rest_get_guid_ids(struct rest_call *call);
int rest_get_contexts(struct rest_call *call);
int rest_delete_context(struct rest_call *call);

int rest_get_subjects(struct rest_call *call);
int rest_look_up(struct rest_call *call);
int rest_delete_subject(struct rest_call *call);
int rest_get_by_properties(struct rest_call *call);
int rest_get_versions(struct rest_call *call);
int rest_register(struct rest_call *call);
int rest_get_version(struct rest_call *call);
int rest_get_version_text(struct rest_call *call);
int rest_get_referrers(struct rest_call *call);
int rest_delete_version(struct rest_call *call);
int rest_check_version(struct rest_call *call);
int rest_check_all(struct rest_call *call);

int rest_get_config(struct rest_call *call);
int rest_put_config(struct rest_call *call);
int rest_delete_config(struct rest_call *call);
int rest_get_mode(struct rest_call *call);
int rest_put_mode(struct rest_call *call);
int rest_delete_mode(struct rest_call *call);

int rest_get_root(struct rest_call *call);
int rest_get_server_id(struct rest_call *call);
int rest_get_server_version(struct rest_call *call);
int rest_get_deployment(struct rest_call *call);
int rest_get_health(struct rest_call *call);
int rest_get_live(struct rest_call *call);
int rest_get_ready(struct rest_call *call);
int rest_get_metrics(struct rest_call *call);

#endif
