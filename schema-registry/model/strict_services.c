/* strict_services.c - what else a file gives to programs: services, and the options that name generated code. */
#include "schema-registry/model/protobuf_strict.h"

static bool differs(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") != 0;
}

/* ---- services ---- */

typedef Google__Protobuf__MethodDescriptorProto method_proto;

static int idempotency_of(const method_proto *method)
{
	return method->options ? (int)method->options->idempotency_level : 0;
}

static void check_method(struct strict_checker *checker, const struct strict_spot *spot, const method_proto *old,
			 const method_proto *update)
{
	if (differs(old->input_type, update->input_type) || differs(old->output_type, update->output_type) ||
	    old->client_streaming != update->client_streaming || old->server_streaming != update->server_streaming ||
	    idempotency_of(old) != idempotency_of(update))
		strict_report(checker, spot, "RPC_CHANGED", "add an rpc instead",
			      "rpc '%s' has another request, answer, stream or idempotency", old->name);
}

static void check_service(struct strict_checker *checker, const struct strict_spot *spot, const service_proto *old,
			  const service_proto *update)
{
	for (size_t i = 0; i < old->n_method; i++) {
		struct strict_spot below;
		size_t at = 0;

		while (at < update->n_method && strcmp(update->method[at]->name, old->method[i]->name) != 0)
			at++;
		if (at < update->n_method) {
			below = strict_below(checker, spot, old->method[i]->name, SERVICE_METHOD, at);
			check_method(checker, &below, old->method[i], update->method[at]);
		} else if (checker->strictness >= STRICTNESS_STRICT) {
			below = strict_gone(checker, spot, old->method[i]->name, spot->pointer);
			strict_report(checker, &below, "RPC_REMOVED", "keep the rpc, and mark it deprecated",
				      "rpc '%s' is gone", old->method[i]->name);
		}
	}
}

/* -1: the file has none of that name. */
static int64_t find_service(const file_proto *file, const char *name)
{
	for (size_t i = 0; i < file->n_service; i++) {
		if (strcmp(file->service[i]->name, name) == 0)
			return (int64_t)i;
	}
	return -1;
}

/* The file that has the service now, of the same package; NULL: it is gone. The schema's own is the first to be asked. */
static const struct strict_file *file_of_service(const struct strict_checker *checker, const char *name)
{
	const struct strict_files *files = &checker->update_files;
	const char *package = checker->update->protobuf->file.package;

	for (size_t i = files->count; i-- > 0;) {
		const struct strict_file *file = &files->items[i];

		if (file->schema && !differs(file->proto->package, package) && find_service(file->proto, name) >= 0)
			return file;
	}
	return NULL;
}

void strict_check_services(struct strict_checker *checker, const file_proto *old)
{
	for (size_t i = 0; i < old->n_service; i++) {
		const char *name = old->service[i]->name;
		const struct strict_file *file = file_of_service(checker, name);
		struct strict_spot spot = {"#", checker->update, ""};
		struct strict_spot below;
		size_t at;

		if (checker->strictness >= STRICTNESS_STRICT &&
		    (!file || !strict_is_own(&checker->update_files, file))) {
			below = strict_gone(checker, &spot, name, STRICT_BEGINNING);
			strict_report(checker, &below, "SERVICE_REMOVED", "keep the service", "service '%s' is gone",
				      name);
		}
		if (!file)
			continue;
		spot.schema = file->schema;
		at = (size_t)find_service(file->proto, name);
		below = strict_below(checker, &spot, name, FILE_SERVICE, at);
		check_service(checker, &below, old->service[i], file->proto->service[at]);
	}
}

/* ---- options ---- */

/* Where the option is set; where it is not, at the beginning of the file. */
static const char *pointer_of_option(struct strict_checker *checker, const char *name)
{
	const Google__Protobuf__FileOptions *written = checker->update->protobuf->written->options;

	for (size_t i = 0; written && i < written->n_uninterpreted_option; i++) {
		const Google__Protobuf__UninterpretedOption *option = written->uninterpreted_option[i];

		if (option->n_name == 1 && strcmp(option->name[0]->name_part, name) == 0)
			return arena_format(&checker->arena, "/%d/%d/%zu", FILE_OPTIONS, OPTIONS_UNINTERPRETED, i);
	}
	return STRICT_BEGINNING;
}

static void check_option(struct strict_checker *checker, const char *name, const char *old, const char *update)
{
	const struct strict_spot spot = {"#/", checker->update, pointer_of_option(checker, name)};

	if (differs(old, update))
		strict_report(checker, &spot, "FILE_OPTION_CHANGED", "keep the options that name generated code",
			      "the option %s changes from '%s' to '%s'", name, old ? old : "", update ? update : "");
}

static bool is_proto3(const file_proto *file)
{
	return file->syntax && strcmp(file->syntax, "proto3") == 0;
}

static void check_syntax(struct strict_checker *checker, const file_proto *old, const file_proto *update)
{
	const struct strict_spot spot = {"#/", checker->update, "/12"};

	if (is_proto3(old) == is_proto3(update) || (checker->strictness < STRICTNESS_STRICT && is_proto3(update)))
		return;
	strict_report(checker, &spot, "SYNTAX_CHANGED", "keep the syntax", "the syntax changes from %s to %s",
		      is_proto3(old) ? "proto3" : "proto2", is_proto3(update) ? "proto3" : "proto2");
}

void strict_check_options(struct strict_checker *checker, const file_proto *old, const file_proto *update)
{
	static const Google__Protobuf__FileOptions none; /* nothing is set */
	const Google__Protobuf__FileOptions *before = old->options ? old->options : &none;
	const Google__Protobuf__FileOptions *after = update->options ? update->options : &none;

	if (checker->strictness >= STRICTNESS_WIRE_JSON) /* proto2 promises less about JSON than proto3 */
		check_syntax(checker, old, update);
	if (checker->strictness < STRICTNESS_STRICT)
		return;
	check_option(checker, "java_package", before->java_package, after->java_package);
	check_option(checker, "java_outer_classname", before->java_outer_classname, after->java_outer_classname);
	check_option(checker, "java_multiple_files", before->java_multiple_files ? "true" : "",
		     after->java_multiple_files ? "true" : "");
	check_option(checker, "go_package", before->go_package, after->go_package);
	check_option(checker, "csharp_namespace", before->csharp_namespace, after->csharp_namespace);
}
