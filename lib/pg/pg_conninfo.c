/* pg_conninfo.c - what a user says of a database, checked and completed. See pg.h. */
#include <libpq-fe.h>
#include <string.h>

#include "lib/base/text_pair.h"
#include "lib/pg/pg.h"

/* A dead database is noticed within seconds. What the user says comes later, so it counts. */
static const struct text_pair defaults[] = {
	{"connect_timeout", "3"},  {"keepalives_idle", "5"},     {"keepalives_interval", "2"},
	{"keepalives_count", "2"}, {"tcp_user_timeout", "8000"},
};

int pg_conninfo_check(const char *conninfo, struct error *err)
{
	char *why = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &why);

	if (!options)
		(void)error_set(err, ERR_INVALID, "%.*s", why ? (int)strcspn(why, "\n") : 0, why ? why : "");
	PQconninfoFree(options);
	PQfreemem(why);
	return options ? 0 : -1;
}

static void append_option(struct buffer *out, const char *name, const char *prefix, const char *value)
{
	buffer_append_format(out, "%s%s='", out->len > 0 ? " " : "", name);
	buffer_append_text(out, prefix);
	for (const char *at = value; *at; at++) {
		if (*at == '\'' || *at == '\\')
			buffer_append_byte(out, '\\');
		buffer_append_byte(out, (uint8_t)*at);
	}
	buffer_append_byte(out, '\'');
}

char *pg_conninfo_complete(const char *conninfo, const char *server_options)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
	struct buffer prefix = {0};
	struct buffer out = {0};
	char *text;

	if (!options)
		return xstrdup(conninfo);
	buffer_append_format(&prefix, "%s ", server_options);
	for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
		append_option(&out, defaults[i].name, "", defaults[i].value);
	append_option(&out, "options", "", server_options);
	for (const PQconninfoOption *option = options; option->keyword; option++) {
		bool is_options = strcmp(option->keyword, "options") == 0;

		if (option->val && option->val[0])
			append_option(&out, option->keyword, is_options ? buffer_text(&prefix) : "", option->val);
	}
	PQconninfoFree(options);
	text = xstrdup(buffer_text(&out));
	buffer_release(&out);
	buffer_release(&prefix);
	return text;
}
