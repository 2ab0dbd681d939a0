/* check_report.c - a check's result in five formats. See check_result.h. */
#include <ctype.h>
#include <jansson.h>

#include "cli/check_result.h"
#include "cli/junit.h"
#include "lib/base/memory.h"

static bool is_failure(const struct check_finding *finding)
{
	return finding->kind != CHECK_NOTE;
}

static bool is_clean(const struct check_result *result)
{
	return result->count == result->kind_counts[CHECK_NOTE];
}

/* ---- text ---- */

/* "compatible; 3 of 4 subjects compared, 1 new": what was not compared must not look as if it had been. */
static void append_sum(const struct check_result *result, struct buffer *out)
{
	const size_t *kinds = result->kind_counts;
	const size_t *outcomes = result->outcome_counts;

	buffer_append_format(out, "%zu schema file%s checked against %s: ", result->file_count,
			     result->file_count == 1 ? "" : "s", result->against);
	if (is_clean(result))
		buffer_append_text(out, "compatible");
	else
		buffer_append_format(out, "%zu breaking change%s, %zu invalid, %zu undecided", kinds[CHECK_BREAKING],
				     kinds[CHECK_BREAKING] == 1 ? "" : "s", kinds[CHECK_INVALID],
				     kinds[CHECK_UNDECIDED]);
	buffer_append_format(out, "; %s: %zu compared, %zu new%s, %zu skipped\n",
			     result->has_subjects ? "subjects" : "files", outcomes[CHECK_COMPARED],
			     outcomes[CHECK_UNKNOWN_THERE], kinds[CHECK_NEW] ? " (not allowed)" : "",
			     outcomes[CHECK_SKIPPED]);
}

/* `file:line:col: error: …`, which editors and terminals make into links. */
static void append_text_finding(const struct check_finding *finding, struct buffer *out)
{
	if (*finding->file)
		buffer_append_format(out, "%s:%zu:%zu: ", finding->file, finding->line, finding->column);
	buffer_append_format(out, "%s: %s [%s]\n", finding->kind == CHECK_NOTE ? "note" : "error", finding->message,
			     finding->rule);
	if (*finding->against)
		buffer_append_format(out, "    against %s%s%s\n", finding->against, *finding->subject ? " of " : "",
				     finding->subject);
	if (*finding->hint)
		buffer_append_format(out, "    hint: %s\n", finding->hint);
}

void check_result_append_findings(const struct check_result *result, struct buffer *out)
{
	for (size_t i = 0; i < result->count; i++)
		append_text_finding(&result->items[i], out);
}

static void print_text(const struct check_result *result, struct buffer *out)
{
	check_result_append_findings(result, out);
	append_sum(result, out);
}

/* ---- JSON ---- */

static void append_json(struct buffer *out, json_t *json)
{
	char *text = json_dumps(json, JSON_INDENT(2));

	buffer_append_text(out, text ? text : "{}");
	buffer_append_byte(out, '\n');
	free(text);
	json_decref(json);
}

/* Names of files need not be UTF-8. */
static json_t *text_of(const char *text)
{
	json_t *json = json_string(text);

	return json ? json : json_string("(not UTF-8)");
}

/* "compared", "new" and "skipped", each with how many. */
static void add_outcomes(json_t *object, const struct check_result *result)
{
	for (size_t i = 0; i < CHECK_OUTCOME_COUNT; i++)
		(void)json_object_set_new(
			object, check_outcome_name((enum check_outcome)i),
			json_integer((json_int_t)result->outcome_counts[i])); /* out of memory aborts */
}

static json_t *comparisons_json(const struct check_result *result)
{
	json_t *array = json_array();

	for (size_t i = 0; i < result->comparison_count; i++) {
		const struct check_comparison *comparison = &result->comparisons[i];

		json_array_append_new(array, json_pack("{s:o, s:o, s:s, s:o}", "file", text_of(comparison->file),
						       "subject", text_of(comparison->subject), "outcome",
						       check_outcome_name(comparison->outcome), "why",
						       text_of(comparison->why)));
	}
	return array;
}

static void print_json(const struct check_result *result, struct buffer *out)
{
	json_t *findings = json_array();
	json_t *json;

	for (size_t i = 0; i < result->count; i++) {
		const struct check_finding *finding = &result->items[i];

		json_array_append_new(findings,
				      json_pack("{s:s, s:o, s:I, s:I, s:s, s:o, s:s, s:o, s:o, s:o, s:o}", "kind",
						check_kind_name(finding->kind), "file", text_of(finding->file), "line",
						(json_int_t)finding->line, "column", (json_int_t)finding->column,
						"rule", finding->rule, "path", text_of(finding->path), "direction",
						finding->direction, "subject", text_of(finding->subject), "against",
						text_of(finding->against), "message", text_of(finding->message), "hint",
						text_of(finding->hint)));
	}
	json = json_pack("{s:b, s:o, s:I, s:I, s:I, s:I, s:o, s:o}", "compatible", is_clean(result), "against",
			 text_of(result->against), "files", (json_int_t)result->file_count, "breaking",
			 (json_int_t)result->kind_counts[CHECK_BREAKING], "invalid",
			 (json_int_t)result->kind_counts[CHECK_INVALID], "undecided",
			 (json_int_t)result->kind_counts[CHECK_UNDECIDED], "schemas", comparisons_json(result),
			 "findings", findings);
	add_outcomes(json, result);
	append_json(out, json);
}

/* ---- GitHub's workflow commands ---- */

static void append_escaped(struct buffer *out, const char *text, bool is_property)
{
	for (; *text; text++) {
		if (*text == '%' || *text == '\r' || *text == '\n' || (is_property && (*text == ':' || *text == ',')))
			buffer_append_format(out, "%%%02X", (unsigned char)*text);
		else
			buffer_append_byte(out, (uint8_t)*text);
	}
}

static void print_github(const struct check_result *result, struct buffer *out)
{
	for (size_t i = 0; i < result->count; i++) {
		const struct check_finding *finding = &result->items[i];

		buffer_append_format(out, "::%s ", is_failure(finding) ? "error" : "notice");
		if (*finding->file) {
			buffer_append_text(out, "file=");
			append_escaped(out, finding->file, true);
			buffer_append_format(out, ",line=%zu,col=%zu,", finding->line, finding->column);
		}
		buffer_append_text(out, "title=");
		append_escaped(out, finding->rule, true);
		buffer_append_text(out, "::");
		append_escaped(out, finding->message, false);
		if (*finding->hint) {
			append_escaped(out, "\nhint: ", false);
			append_escaped(out, finding->hint, false);
		}
		buffer_append_byte(out, '\n');
	}
	append_sum(result, out);
}

/* ---- JUnit's XML ---- */

static bool is_listed(const char *const *files, size_t count, const char *file)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(files[i], file) == 0)
			return true;
	}
	return false;
}

/* Why nothing of a file was compared; NULL: something was. */
static const char *why_skipped(const struct check_result *result, const char *file)
{
	const char *why = NULL;

	for (size_t i = 0; i < result->comparison_count; i++) {
		const struct check_comparison *comparison = &result->comparisons[i];

		if (strcmp(comparison->file, file) != 0)
			continue;
		if (comparison->outcome == CHECK_COMPARED)
			return NULL;
		why = why ? why : comparison->why;
	}
	return why;
}

static bool is_error(const struct check_finding *finding)
{
	return finding->kind == CHECK_UNDECIDED;
}

/* Of a file: errors are what could not be decided, all else that is no note are failures. */
static bool has_finding(const struct check_result *result, const char *file, bool wants_error)
{
	for (size_t i = 0; i < result->count; i++) {
		const struct check_finding *finding = &result->items[i];

		if (is_failure(finding) && is_error(finding) == wants_error && strcmp(finding->file, file) == 0)
			return true;
	}
	return false;
}

static bool is_skipped_case(const struct check_result *result, const char *file)
{
	return !has_finding(result, file, false) && !has_finding(result, file, true) && why_skipped(result, file);
}

static void append_junit_case(const struct check_result *result, const char *file, struct buffer *out)
{
	junit_begin_case(out, "schema", *file ? file : result->against);
	for (size_t i = 0; i < result->count; i++) {
		const struct check_finding *finding = &result->items[i];
		_cleanup_(buffer_release)
		struct buffer text = {0};

		if (strcmp(finding->file, file) != 0 || !is_failure(finding))
			continue;
		append_text_finding(finding, &text);
		junit_add(out, is_error(finding) ? "error" : "failure", finding->rule, finding->message,
			  buffer_text(&text));
	}
	if (is_skipped_case(result, file))
		junit_skip(out, why_skipped(result, file));
	junit_end_case(out);
}

static void append_properties(const struct check_result *result, struct buffer *out)
{
	const struct junit_property properties[] = {
		{check_outcome_name(CHECK_COMPARED), result->outcome_counts[CHECK_COMPARED]},
		{check_outcome_name(CHECK_UNKNOWN_THERE), result->outcome_counts[CHECK_UNKNOWN_THERE]},
		{check_outcome_name(CHECK_SKIPPED), result->outcome_counts[CHECK_SKIPPED]},
	};

	junit_add_properties(out, properties, ARRAY_LEN(properties));
}

/* One test for each file: those that were checked, and those that something was found in besides. */
static void print_junit(const struct check_result *result, struct buffer *out)
{
	const char **files = xcalloc(result->file_count + result->count + 1, sizeof(*files));
	struct junit_counts counts;
	size_t count = 0;

	for (size_t i = 0; i < result->file_count; i++)
		files[count++] = result->files[i];
	for (size_t i = 0; i < result->count; i++) {
		if (is_failure(&result->items[i]) && !is_listed(files, count, result->items[i].file))
			files[count++] = result->items[i].file;
	}
	counts = (struct junit_counts){.tests = count};
	for (size_t i = 0; i < count; i++) { /* tests, however much was found in each */
		counts.failures += has_finding(result, files[i], false);
		counts.errors += has_finding(result, files[i], true);
		counts.skipped += is_skipped_case(result, files[i]);
	}
	junit_begin(out, "sagactl schema check", &counts);
	append_properties(result, out);
	for (size_t i = 0; i < count; i++)
		append_junit_case(result, files[i], out);
	junit_end(out);
	free(files);
}

/* ---- SARIF ---- */

static size_t rule_index(const struct check_result *result, size_t at)
{
	size_t index = 0;

	for (size_t i = 0; i < at; i++) {
		bool is_first = true;

		if (strcmp(result->items[i].rule, result->items[at].rule) == 0)
			at = i;
		for (size_t k = 0; k < i; k++)
			is_first &= strcmp(result->items[k].rule, result->items[i].rule) != 0;
		index += is_first && i < at;
	}
	return index;
}

static json_t *sarif_rules(const struct check_result *result)
{
	json_t *rules = json_array();

	for (size_t i = 0; i < result->count; i++) {
		const struct check_finding *finding = &result->items[i];

		if (rule_index(result, i) == json_array_size(rules)) /* the first of its rule */
			json_array_append_new(rules,
					      json_pack("{s:s, s:{s:s}, s:{s:o}}", "id", finding->rule,
							"shortDescription", "text", finding->rule, "help", "text",
							text_of(*finding->hint ? finding->hint : finding->rule)));
	}
	return rules;
}

/* A reference as RFC 3986 has it: names hold blanks, and whatever else. */
static json_t *uri_of(const char *path)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
	_cleanup_(buffer_release)
	struct buffer uri = {0};

	for (; *path; path++) {
		if (strchr(plain, *path))
			buffer_append_byte(&uri, (uint8_t)*path);
		else
			buffer_append_format(&uri, "%%%02X", (unsigned)(uint8_t)*path);
	}
	return json_string(buffer_text(&uri));
}

static json_t *sarif_locations(const struct check_finding *finding)
{
	if (!*finding->file)
		return json_array();
	return json_pack("[{s:{s:{s:o}, s:{s:I, s:I}}}]", "physicalLocation", "artifactLocation", "uri",
			 uri_of(finding->file), "region", "startLine", (json_int_t)finding->line, "startColumn",
			 (json_int_t)finding->column);
}

static json_t *sarif_result(const struct check_result *result, size_t at)
{
	const struct check_finding *finding = &result->items[at];
	_cleanup_(buffer_release)
	struct buffer text = {0};

	buffer_append_text(&text, finding->message);
	if (*finding->hint)
		buffer_append_format(&text, "; hint: %s", finding->hint);
	return json_pack("{s:s, s:I, s:s, s:{s:o}, s:o}", "ruleId", finding->rule, "ruleIndex",
			 (json_int_t)rule_index(result, at), "level", is_failure(finding) ? "error" : "note", "message",
			 "text", text_of(buffer_text(&text)), "locations", sarif_locations(finding));
}

/* Someone may want to know whether an empty list of results means anything. */
static json_t *sarif_properties(const struct check_result *result)
{
	json_t *properties = json_pack("{s:o}", "against", text_of(result->against));

	add_outcomes(properties, result);
	return properties;
}

static void print_sarif(const struct check_result *result, struct buffer *out)
{
	json_t *results = json_array();

	for (size_t i = 0; i < result->count; i++)
		json_array_append_new(results, sarif_result(result, i));
	append_json(out, json_pack("{s:s, s:s, s:[{s:{s:{s:s, s:s, s:o}}, s:o, s:o}]}", "$schema",
				   "https://json.schemastore.org/sarif-2.1.0.json", "version", "2.1.0", "runs", "tool",
				   "driver", "name", "sagactl schema check", "version", AMENDS_VERSION, "rules",
				   sarif_rules(result), "results", results, "properties", sarif_properties(result)));
}

void check_result_print(const struct check_result *result, enum check_format format, struct buffer *out)
{
	static void (*const printers[])(const struct check_result *, struct buffer *) = {
		[CHECK_FORMAT_TEXT] = print_text,     [CHECK_FORMAT_JSON] = print_json,
		[CHECK_FORMAT_GITHUB] = print_github, [CHECK_FORMAT_JUNIT] = print_junit,
		[CHECK_FORMAT_SARIF] = print_sarif,
	};

	printers[format](result, out);
}
