/* rest_routes.c - every path of the registry, and how a request finds its own. See rest.h. */
#include <stdio.h>
#include <string.h>

#include "lib/base/memory.h"
#include "schema-registry/server/rest.h"

enum { ROUTE_NAMED = ROUTE_SUBJECT | ROUTE_ALIAS };

static const struct rest_route routes[] = {
	{"GET", "/", rest_get_root, 0, ROLE_SCHEMA_READER},
	{"POST", "/", rest_get_root, 0, ROLE_SCHEMA_READER},

	{"GET", "/schemas", rest_search_schemas, 0, ROLE_SCHEMA_READER},
	{"GET", "/schemas/types", rest_get_types, 0, ROLE_SCHEMA_READER},
	{"GET", "/schemas/ids/{}", rest_get_schema, 0, ROLE_SCHEMA_READER},
	{"GET", "/schemas/ids/{}/schema", rest_get_schema_text, 0, ROLE_SCHEMA_READER},
	{"GET", "/schemas/ids/{}/versions", rest_get_schema_versions, 0, ROLE_SCHEMA_READER},
	{"GET", "/schemas/ids/{}/subjects", rest_get_schema_subjects, 0, ROLE_SCHEMA_READER},
	{"GET", "/schemas/guids/{}", rest_get_by_guid, 0, ROLE_SCHEMA_READER},
	{"GET", "/schemas/guids/{}/ids", rest_get_guid_ids, 0, ROLE_SCHEMA_READER},
	{"GET", "/contexts", rest_get_contexts, 0, ROLE_SCHEMA_READER},
	{"DELETE", "/contexts/{}", rest_delete_context, 0, ROLE_SCHEMA_WRITER},

	{"GET", "/subjects", rest_get_subjects, 0, ROLE_SCHEMA_READER},
	{"POST", "/subjects/{}", rest_look_up, ROUTE_BODY | ROUTE_NAMED, ROLE_SCHEMA_READER},
	{"DELETE", "/subjects/{}", rest_delete_subject, ROUTE_NAMED, ROLE_SCHEMA_WRITER},
	{"GET", "/subjects/{}/metadata", rest_get_by_properties, ROUTE_NAMED, ROLE_SCHEMA_READER},
	{"GET", "/subjects/{}/versions", rest_get_versions, ROUTE_NAMED, ROLE_SCHEMA_READER},
	{"POST", "/subjects/{}/versions", rest_register, ROUTE_BODY | ROUTE_NAMED, ROLE_SCHEMA_WRITER},
	{"GET", "/subjects/{}/versions/{}", rest_get_version, ROUTE_NAMED, ROLE_SCHEMA_READER},
	{"DELETE", "/subjects/{}/versions/{}", rest_delete_version, ROUTE_NAMED, ROLE_SCHEMA_WRITER},
	{"GET", "/subjects/{}/versions/{}/schema", rest_get_version_text, ROUTE_NAMED, ROLE_SCHEMA_READER},
	{"GET", "/subjects/{}/versions/{}/referencedby", rest_get_referrers, ROUTE_NAMED, ROLE_SCHEMA_READER},

	{"POST", "/compatibility/subjects/{}/versions", rest_check_all, ROUTE_BODY | ROUTE_NAMED, ROLE_SCHEMA_READER},
	{"POST", "/compatibility/subjects/{}/versions/{}", rest_check_version, ROUTE_BODY | ROUTE_NAMED,
	 ROLE_SCHEMA_READER},

	{"GET", "/config", rest_get_config, 0, ROLE_SCHEMA_READER},
	{"PUT", "/config", rest_put_config, ROUTE_BODY, ROLE_SCHEMA_WRITER},
	{"DELETE", "/config", rest_delete_config, 0, ROLE_SCHEMA_WRITER},
	{"GET", "/config/{}", rest_get_config, ROUTE_SUBJECT, ROLE_SCHEMA_READER},
	{"PUT", "/config/{}", rest_put_config, ROUTE_BODY | ROUTE_SUBJECT, ROLE_SCHEMA_WRITER},
	{"DELETE", "/config/{}", rest_delete_config, ROUTE_SUBJECT, ROLE_SCHEMA_WRITER},

	{"GET", "/mode", rest_get_mode, 0, ROLE_SCHEMA_READER},
	{"PUT", "/mode", rest_put_mode, ROUTE_BODY, ROLE_SCHEMA_WRITER},
	{"DELETE", "/mode", rest_delete_mode, 0, ROLE_SCHEMA_WRITER},
	{"GET", "/mode/{}", rest_get_mode, ROUTE_SUBJECT, ROLE_SCHEMA_READER},
	{"PUT", "/mode/{}", rest_put_mode, ROUTE_BODY | ROUTE_SUBJECT, ROLE_SCHEMA_WRITER},
	{"DELETE", "/mode/{}", rest_delete_mode, ROUTE_SUBJECT, ROLE_SCHEMA_WRITER},

	{"GET", "/v1/metadata/id", rest_get_server_id, 0, ROLE_SCHEMA_READER},
	{"GET", "/v1/metadata/version", rest_get_server_version, 0, ROLE_SCHEMA_READER},
	{"GET", "/v1/metadata/deployment", rest_get_deployment, 0, ROLE_SCHEMA_READER},

	{"GET", "/health", rest_get_health, ROUTE_SERVICE, ROLE_ANYBODY},
	{"GET", "/livez", rest_get_live, ROUTE_SERVICE, ROLE_ANYBODY},
	{"GET", "/readyz", rest_get_ready, ROUTE_SERVICE, ROLE_ANYBODY},
	{"GET", "/metrics", rest_get_metrics, ROUTE_SERVICE, ROLE_ANYBODY},
};

/* Does the path fit the pattern? Then *args are the parts at its braces. */
static bool match_path(const char *pattern, const char *const *parts, size_t part_count, const char **args)
{
	size_t arg_count = 0;
	size_t index = 0;

	while (*pattern == '/' && pattern[1]) {
		size_t len = strcspn(++pattern, "/");

		if (index == part_count)
			return false;
		if (len == 2 && strncmp(pattern, "{}", 2) == 0)
			args[arg_count++] = parts[index];
		else if (strlen(parts[index]) != len || strncmp(parts[index], pattern, len) != 0)
			return false;
		pattern += len;
		index++;
	}
	return index == part_count;
}

/* Who may GET may HEAD as well. */
static void add_method(char *list, size_t size, const char *method)
{
	size_t len = strlen(list);

	(void)snprintf(list + len, size - len, "%s%s%s", len ? ", " : "", strcmp(method, "GET") == 0 ? "HEAD, " : "",
		       method);
}

struct rest_match rest_find_route(const char *method, const char *const *parts, size_t part_count)
{
	struct rest_match match = {0};

	if (part_count > 2 && strcmp(parts[0], "contexts") == 0) {
		match.context = parts[1];
		parts += 2;
		part_count -= 2;
	}
	for (size_t i = 0; i < ARRAY_LEN(routes) && !match.route; i++) {
		const char *args[REST_ARGS_MAX] = {0};

		if (!match_path(routes[i].path, parts, part_count, args))
			continue;
		match.is_path_known = true;
		add_method(match.allow, sizeof(match.allow), routes[i].method);
		if (strcmp(routes[i].method, method) != 0)
			continue;
		match.route = &routes[i];
		memcpy(match.args, args, sizeof(args));
	}
	return match;
}
