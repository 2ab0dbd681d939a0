/* protobuf_parser.cc - see protobuf_parser.h. The only C++ of the project: it calls libprotobuf and nothing else. */
#include "schema-registry/model/protobuf_parser.h"

#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <set>
#include <string>

#include "schema-registry/model/protobuf_known.h"

namespace
{

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;
using google::protobuf::Message;
using google::protobuf::compiler::SourceLocationTable;

/* Counts the problems and hands them on; libprotobuf counts lines and columns from 0. */
class Problems : public google::protobuf::io::ErrorCollector
{
      public:
	explicit Problems(const protobuf_source *source) : source_(source)
	{
	}
	void AddError(int line, int column, const std::string &message) override
	{
		source_->on_problem(source_->ctx, line + 1, column + 1, message.c_str());
		count++;
	}
	int count = 0;

      private:
	const protobuf_source *source_;
};

/* The same for what is found while names are resolved; the parser's table knows the positions. */
class PoolProblems : public DescriptorPool::ErrorCollector
{
      public:
	PoolProblems(Problems *problems, const SourceLocationTable *locations, const FileDescriptorProto *file)
	    : problems_(problems), locations_(locations), file_(file)
	{
	}
	void AddError(const std::string &filename, const std::string &element, const Message *descriptor,
		      ErrorLocation location, const std::string &message) override
	{
		int line = -1;
		int column = -1;

		if (location == IMPORT)
			(void)locations_->FindImport(descriptor, element, &line, &column); /* false leaves -1 */
		else
			(void)locations_->Find(descriptor, location, &line, &column); /* false leaves -1 */
		if (filename != file_->name())
			problems_->AddError(-1, -1, "in " + filename + ": " + element + ": " + message);
		else
			problems_->AddError(line, column, location == IMPORT ? message : element + ": " + message);
	}

      private:
	Problems *problems_;
	const SourceLocationTable *locations_;
	const FileDescriptorProto *file_;
};

class Silence : public google::protobuf::io::ErrorCollector
{
      public:
	void AddError(int, int, const std::string &) override
	{
	}
};

/* A name that no import has. */
std::string own_name(const protobuf_source *source)
{
	std::string name = "schema.proto";

	for (size_t i = 0; i < source->import_count; i++) {
		if (name == source->imports[i].name) {
			name = "_" + name;
			i = static_cast<size_t>(-1); /* compare with all again */
		}
	}
	return name;
}

/* libprotobuf takes messages 32 levels deep, but looks only when its parser, which recurses, has come back; so does its parser
 * of options, which knows `<` for `{`. Neither may be led beyond the stack of a thread. */
const int NESTING_MAX = 100;

bool is_nested_too_deeply(const protobuf_source *source, Problems *problems)
{
	google::protobuf::io::ArrayInputStream stream(source->data, static_cast<int>(source->len));
	Silence silence; /* what is no token is told by the parser */
	google::protobuf::io::Tokenizer tokens(&stream, &silence);
	int depth = 0;

	while (tokens.Next()) {
		const std::string &text = tokens.current().text;

		if (text == "{" || text == "<")
			depth++;
		else if ((text == "}" || text == ">") && depth > 0)
			depth--;
		if (depth > NESTING_MAX) {
			problems->AddError(tokens.current().line, tokens.current().column,
					   "nested more than " + std::to_string(NESTING_MAX) + " levels deep");
			return true;
		}
	}
	return false;
}

const char EDITIONS_TEXT[] = "editions are not supported: write syntax = \"proto3\"; or syntax = \"proto2\";";

/* libprotobuf 3.21 does not know them, and says of every field what it lacks in proto2. */
bool has_edition(const protobuf_source *source, Problems *problems)
{
	google::protobuf::io::ArrayInputStream stream(source->data, static_cast<int>(source->len));
	Silence silence; /* what is no token is told by the parser */
	google::protobuf::io::Tokenizer tokens(&stream, &silence);

	if (!tokens.Next() || tokens.current().text != "edition")
		return false;
	const google::protobuf::io::Tokenizer::Token edition = tokens.current();
	if (!tokens.Next() || tokens.current().text != "=")
		return false;
	problems->AddError(edition.line, edition.column, EDITIONS_TEXT);
	return true;
}

/* libprotobuf compares each range with all others of its message or enum, and with all fields or values. */
const int RANGES_MAX = 1000;

template <class Described>
void check_range_count(const Described &described, int count, const SourceLocationTable *locations, Problems *problems)
{
	int line = -1;
	int column = -1;

	if (count <= RANGES_MAX)
		return;
	(void)locations->Find(&described, DescriptorPool::ErrorCollector::NAME, &line, &column); /* false leaves -1 */
	problems->AddError(line, column,
			   described.name() + ": more than " + std::to_string(RANGES_MAX) +
				   " ranges of numbers are reserved or left to extensions");
}

void check_range_counts(const google::protobuf::DescriptorProto &message, const SourceLocationTable *locations,
			Problems *problems)
{
	check_range_count(message, message.reserved_range_size() + message.extension_range_size(), locations, problems);
	for (const auto &enumeration : message.enum_type())
		check_range_count(enumeration, enumeration.reserved_range_size(), locations, problems);
	for (const auto &nested : message.nested_type())
		check_range_counts(nested, locations, problems);
}

bool has_too_many_ranges(const FileDescriptorProto &file, const SourceLocationTable *locations, Problems *problems)
{
	for (const auto &enumeration : file.enum_type())
		check_range_count(enumeration, enumeration.reserved_range_size(), locations, problems);
	for (const auto &message : file.message_type())
		check_range_counts(message, locations, problems);
	return problems->count > 0;
}

bool read_source(const protobuf_source *source, Problems *problems, SourceLocationTable *locations,
		 FileDescriptorProto *file)
{
	if (source->is_descriptor) {
		if (!file->ParseFromArray(source->data, static_cast<int>(source->len))) {
			problems->AddError(-1, -1, "not a serialized FileDescriptorProto");
			return false;
		}
		if (file->syntax() == "editions") {
			problems->AddError(-1, -1, EDITIONS_TEXT);
			return false;
		}
		if (file->name().empty())
			file->set_name(own_name(source));
		file->clear_source_code_info();
		return true;
	}
	if (has_edition(source, problems) || is_nested_too_deeply(source, problems))
		return false;
	google::protobuf::io::ArrayInputStream stream(source->data, static_cast<int>(source->len));
	google::protobuf::io::Tokenizer tokens(&stream, problems);
	google::protobuf::compiler::Parser parser;

	parser.RecordErrorsTo(problems);
	parser.RecordSourceLocationsTo(locations);
	if (!parser.Parse(&tokens, file) || problems->count > 0)
		return false;
	file->set_name(own_name(source));
	file->clear_source_code_info();
	return true;
}

bool add_imports(const protobuf_source *source, DescriptorPool *pool, Problems *problems)
{
	for (size_t i = 0; i < source->import_count; i++) {
		const protobuf_import &import = source->imports[i];
		SourceLocationTable no_locations;
		FileDescriptorProto file;

		if (pool->FindFileByName(import.name))
			continue; /* a well-known file, or the same file on two ways */
		if (!file.ParseFromArray(import.data, static_cast<int>(import.len))) {
			problems->AddError(-1, -1, std::string("the reference ") + import.name + " is damaged");
			return false;
		}
		file.set_name(import.name);
		FileDescriptorProto nothing;
		PoolProblems collector(problems, &no_locations, &nothing);
		if (!pool->BuildFileCollectingErrors(file, &collector))
			return false;
	}
	return true;
}

void collect(const FileDescriptor *file, std::set<const FileDescriptor *> *seen, FileDescriptorSet *set)
{
	if (!seen->insert(file).second)
		return;
	for (int i = 0; i < file->dependency_count(); i++)
		collect(file->dependency(i), seen, set);
	file->CopyTo(set->add_file());
}

uint8_t *copy_of(const std::string &bytes)
{
	uint8_t *copy = static_cast<uint8_t *>(malloc(bytes.size() + 1));

	if (!copy)
		abort(); /* as everywhere in this project: memory is not an error to handle */
	memcpy(copy, bytes.data(), bytes.size());
	return copy;
}

/* Built once, on libprotobuf's own; from then on it is only read. It is never freed: threads may use it to the end. */
const DescriptorPool *known_pool()
{
	static const DescriptorPool *const known = [] {
		DescriptorPool *pool = new DescriptorPool(DescriptorPool::generated_pool());
		size_t count;
		const struct protobuf_known *files = protobuf_known_files(&count);

		for (size_t i = 0; i < count; i++) {
			google::protobuf::io::ArrayInputStream stream(files[i].text,
								      static_cast<int>(strlen(files[i].text)));
			Silence silence; /* what is wrong with one of them shows where it is imported; a test imports all */
			google::protobuf::io::Tokenizer tokens(&stream, &silence);
			FileDescriptorProto file;

			if (google::protobuf::compiler::Parser().Parse(&tokens, &file)) {
				file.set_name(files[i].name);
				file.clear_source_code_info();
				(void)pool->BuildFile(file);
			}
		}
		return pool;
	}();

	return known;
}

bool parse(const protobuf_source *source, Problems *problems, protobuf_parsed *ret_parsed)
{
	DescriptorPool pool(known_pool());
	SourceLocationTable locations;
	FileDescriptorProto file;
	FileDescriptorSet set;
	std::set<const FileDescriptor *> seen;

	if (!read_source(source, problems, &locations, &file) || has_too_many_ranges(file, &locations, problems) ||
	    !add_imports(source, &pool, problems))
		return false;
	PoolProblems collector(problems, &locations, &file);
	const FileDescriptor *built = pool.BuildFileCollectingErrors(file, &collector);
	if (!built)
		return false;
	collect(built, &seen, &set);
	std::string written = file.SerializeAsString();
	std::string resolved = set.SerializeAsString();
	*ret_parsed = {copy_of(written), written.size(), copy_of(resolved), resolved.size()};
	return true;
}

} // namespace

bool protobuf_parse(const struct protobuf_source *source, struct protobuf_parsed *ret_parsed)
{
	static std::once_flag once;
	Problems problems(source);

	try {
		/* Its warnings go to standard error otherwise. Nothing else here uses libprotobuf. */
		std::call_once(once, [] { google::protobuf::SetLogHandler(nullptr); });
		bool is_parsed = parse(source, &problems, ret_parsed);
		if (!is_parsed && problems.count == 0)
			problems.AddError(-1, -1, "libprotobuf refuses it without a reason");
		return is_parsed;
	} catch (const std::exception &failure) {
		problems.AddError(-1, -1, failure.what());
		return false;
	}
}

void protobuf_position(const uint8_t *text, size_t len, const int32_t *path, int path_len, size_t *ret_line,
		       size_t *ret_column)
{
	*ret_line = 1;
	*ret_column = 1;
	try {
		google::protobuf::io::ArrayInputStream stream(text, static_cast<int>(len));
		Silence silence;
		google::protobuf::io::Tokenizer tokens(&stream, &silence);
		google::protobuf::compiler::Parser parser;
		FileDescriptorProto file;
		int best = -1;

		(void)parser.Parse(&tokens, &file); /* what it understood has positions */
		for (const auto &location : file.source_code_info().location()) {
			bool is_beginning = location.path_size() == 1 &&
					    (location.path(0) == FileDescriptorProto::kPackageFieldNumber ||
					     location.path(0) == FileDescriptorProto::kSyntaxFieldNumber);
			int same = 0;

			while (same < location.path_size() && same < path_len && location.path(same) == path[same])
				same++;
			if (same == location.path_size() && same > best && same > 0) {
				best = same;
				*ret_line = static_cast<size_t>(location.span(0)) + 1;
				*ret_column = static_cast<size_t>(location.span(1)) + 1;
			} else if (best < 0 && is_beginning) { /* better than what stands above: comments */
				*ret_line = static_cast<size_t>(location.span(0)) + 1;
				*ret_column = static_cast<size_t>(location.span(1)) + 1;
			}
		}
	} catch (const std::exception &) {
		/* the beginning of the file has to do */
	}
}

void protobuf_parsed_release(struct protobuf_parsed *parsed)
{
	free(parsed->written);
	free(parsed->resolved);
	*parsed = {};
}
