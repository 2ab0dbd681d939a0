/* junit.c - see junit.h. */
#include "cli/junit.h"

/* Control characters have no place in XML, escaped or not. */
static void append_xml(struct buffer *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (strchr("<>&\"'", c))
			buffer_append_format(out, "&#%u;", c);
		else
			buffer_append_byte(out, c < ' ' && c != '\n' && c != '\t' ? '?' : c);
	}
}

static void append_attribute(struct buffer *out, const char *name, const char *value)
{
	buffer_append_format(out, " %s=\"", name);
	append_xml(out, value);
	buffer_append_byte(out, '"');
}

void junit_begin(struct buffer *out, const char *suite, const struct junit_counts *counts)
{
	buffer_append_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite");
	append_attribute(out, "name", suite);
	buffer_append_format(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\"", counts->tests, counts->failures,
			     counts->errors);
	if (counts->skipped)
		buffer_append_format(out, " skipped=\"%zu\"", counts->skipped);
	buffer_append_text(out, ">\n");
}

void junit_end(struct buffer *out)
{
	buffer_append_text(out, "  </testsuite>\n</testsuites>\n");
}

void junit_add_properties(struct buffer *out, const struct junit_property *properties, size_t count)
{
	buffer_append_text(out, "    <properties>\n");
	for (size_t i = 0; i < count; i++) {
		buffer_append_text(out, "      <property");
		append_attribute(out, "name", properties[i].name);
		buffer_append_format(out, " value=\"%zu\"/>\n", properties[i].value);
	}
	buffer_append_text(out, "    </properties>\n");
}

void junit_begin_case(struct buffer *out, const char *class_name, const char *name)
{
	buffer_append_text(out, "    <testcase");
	append_attribute(out, "classname", class_name);
	append_attribute(out, "name", name);
	buffer_append_text(out, ">\n");
}

void junit_end_case(struct buffer *out)
{
	buffer_append_text(out, "    </testcase>\n");
}

void junit_add(struct buffer *out, const char *tag, const char *type, const char *message, const char *text)
{
	buffer_append_format(out, "      <%s", tag);
	append_attribute(out, "type", type);
	append_attribute(out, "message", message);
	buffer_append_byte(out, '>');
	append_xml(out, text);
	buffer_append_format(out, "</%s>\n", tag);
}

void junit_skip(struct buffer *out, const char *why)
{
	buffer_append_text(out, "      <skipped");
	append_attribute(out, "message", why);
	buffer_append_text(out, "/>\n");
}
