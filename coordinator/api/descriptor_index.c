/* descriptor_index.c - see descriptor_index.h. */
#include "coordinator/api/descriptor_index.h"

#include <assert.h>

#include "google/protobuf/descriptor.pb-c.h"
#include "lib/base/arena.h"

struct symbol {
	const char *name;
	const struct descriptor_file *file;
	bool is_message;
};

struct descriptor_index {
	struct arena arena;
	struct descriptor_file *files;
	size_t file_count;
	struct symbol *symbols; /* sorted by name */
	size_t symbol_count;
	size_t symbol_capacity;
	const char **services;
	size_t service_count;
};

static void add_symbol(struct descriptor_index *index, const struct descriptor_file *file, const char *name,
		       bool is_message)
{
	if (index->symbol_count == index->symbol_capacity) {
		index->symbol_capacity = index->symbol_capacity ? index->symbol_capacity * 2 : 256;
		index->symbols = xrealloc_array(index->symbols, index->symbol_capacity, sizeof(*index->symbols));
	}
	index->symbols[index->symbol_count++] = (struct symbol){name, file, is_message};
}

static const char *join(struct descriptor_index *index, const char *scope, const char *name)
{
	return scope && *scope ? arena_format(&index->arena, "%s.%s", scope, name) : arena_strdup(&index->arena, name);
}

/* Enum values are siblings of their enum, as in C. */
static void add_enum(struct descriptor_index *index, const struct descriptor_file *file, const char *scope,
		     const Google__Protobuf__EnumDescriptorProto *type)
{
	add_symbol(index, file, join(index, scope, type->name), false);
	for (size_t i = 0; i < type->n_value; i++)
		add_symbol(index, file, join(index, scope, type->value[i]->name), false);
}

/* Recurses as deep as our own .proto files nest. */
static void add_message(struct descriptor_index *index, const struct descriptor_file *file, const char *scope,
			const Google__Protobuf__DescriptorProto *type)
{
	const char *name = join(index, scope, type->name);

	add_symbol(index, file, name, true);
	for (size_t i = 0; i < type->n_field; i++)
		add_symbol(index, file, join(index, name, type->field[i]->name), false);
	for (size_t i = 0; i < type->n_oneof_decl; i++)
		add_symbol(index, file, join(index, name, type->oneof_decl[i]->name), false);
	for (size_t i = 0; i < type->n_enum_type; i++)
		add_enum(index, file, name, type->enum_type[i]);
	for (size_t i = 0; i < type->n_nested_type; i++)
		add_message(index, file, name, type->nested_type[i]);
}

static void add_service(struct descriptor_index *index, const struct descriptor_file *file, const char *scope,
			const Google__Protobuf__ServiceDescriptorProto *service)
{
	const char *name = join(index, scope, service->name);

	index->services = xrealloc_array(index->services, index->service_count + 1, sizeof(*index->services));
	index->services[index->service_count++] = name;
	add_symbol(index, file, name, false);
	for (size_t i = 0; i < service->n_method; i++)
		add_symbol(index, file, join(index, name, service->method[i]->name), false);
}

static void add_symbols(struct descriptor_index *index, const struct descriptor_file *file,
			const Google__Protobuf__FileDescriptorProto *proto)
{
	for (size_t i = 0; i < proto->n_message_type; i++)
		add_message(index, file, proto->package, proto->message_type[i]);
	for (size_t i = 0; i < proto->n_enum_type; i++)
		add_enum(index, file, proto->package, proto->enum_type[i]);
	for (size_t i = 0; i < proto->n_service; i++)
		add_service(index, file, proto->package, proto->service[i]);
}

/* The compiler writes imports before what imports them. */
static int add_imports(struct descriptor_index *index, struct descriptor_file *file,
		       const Google__Protobuf__FileDescriptorProto *proto, struct error *err)
{
	const struct descriptor_file **imports =
		arena_alloc(&index->arena, (proto->n_dependency + 1) * sizeof(*imports));

	for (size_t i = 0; i < proto->n_dependency; i++) {
		imports[i] = descriptor_index_file(index, proto->dependency[i]);
		if (!imports[i])
			return error_set(err, ERR_CORRUPT, "%s imports %s, which is not in the set", file->name,
					 proto->dependency[i]);
	}
	file->imports = imports;
	file->import_count = proto->n_dependency;
	return 0;
}

/* The set is `repeated FileDescriptorProto file = 1`: tag, length, bytes. It was decoded before, so it is well formed. */
static struct bytes next_slice(struct bytes *rest)
{
	struct bytes slice;
	size_t len = 0;
	size_t at = 1;
	int shift = 0;

	assert(rest->len > 1 && rest->data[0] == 0x0a);
	do {
		len |= (size_t)(rest->data[at] & 0x7f) << shift;
		shift += 7;
	} while (rest->data[at++] & 0x80);
	assert(len <= rest->len - at);
	slice = (struct bytes){rest->data + at, len};
	*rest = (struct bytes){rest->data + at + len, rest->len - at - len};
	return slice;
}

static int compare_symbols(const void *a, const void *b)
{
	return strcmp(((const struct symbol *)a)->name, ((const struct symbol *)b)->name);
}

static int fill(struct descriptor_index *index, const Google__Protobuf__FileDescriptorSet *set, struct bytes rest,
		struct error *err)
{
	index->files = xcalloc(set->n_file + 1, sizeof(*index->files));
	for (size_t i = 0; i < set->n_file; i++) {
		struct descriptor_file *file = &index->files[i];

		file->name = arena_strdup(&index->arena, set->file[i]->name);
		file->bytes = next_slice(&rest);
		if (add_imports(index, file, set->file[i], err))
			return -1;
		index->file_count++;
		add_symbols(index, file, set->file[i]);
	}
	qsort(index->symbols, index->symbol_count, sizeof(*index->symbols), compare_symbols);
	return 0;
}

int descriptor_index_new(struct bytes set, struct descriptor_index **ret_index, struct error *err)
{
	_cleanup_(descriptor_index_freep)
	struct descriptor_index *index = xcalloc(1, sizeof(*index));
	Google__Protobuf__FileDescriptorSet *message;
	int rc;

	arena_init(&index->arena, 0);
	message = google__protobuf__file_descriptor_set__unpack(NULL, set.len, set.data);
	if (!message)
		return error_set(err, ERR_CORRUPT, "the descriptors of %zu bytes cannot be decoded", set.len);
	rc = fill(index, message, set, err);
	google__protobuf__file_descriptor_set__free_unpacked(message, NULL);
	if (rc)
		return -1;
	*ret_index = take_ptr(index);
	return 0;
}

void descriptor_index_free(struct descriptor_index *index)
{
	if (!index)
		return;
	free(index->files);
	free(index->symbols);
	free(index->services);
	arena_release(&index->arena);
	free(index);
}

const struct descriptor_file *descriptor_index_file(const struct descriptor_index *index, const char *name)
{
	for (size_t i = 0; i < index->file_count; i++) {
		if (strcmp(index->files[i].name, name) == 0)
			return &index->files[i];
	}
	return NULL;
}

static const struct symbol *find_symbol(const struct descriptor_index *index, const char *name)
{
	struct symbol key = {.name = name};

	if (index->symbol_count == 0)
		return NULL;
	return bsearch(&key, index->symbols, index->symbol_count, sizeof(key), compare_symbols);
}

const struct descriptor_file *descriptor_index_symbol(const struct descriptor_index *index, const char *symbol)
{
	const struct symbol *found = find_symbol(index, symbol);

	return found ? found->file : NULL;
}

bool descriptor_index_is_message(const struct descriptor_index *index, const char *symbol)
{
	const struct symbol *found = find_symbol(index, symbol);

	return found && found->is_message;
}

const char *const *descriptor_index_services(const struct descriptor_index *index, size_t *ret_count)
{
	*ret_count = index->service_count;
	return index->services;
}

static bool contains(const struct descriptor_file **files, size_t count, const struct descriptor_file *file)
{
	for (size_t i = 0; i < count; i++) {
		if (files[i] == file)
			return true;
	}
	return false;
}

size_t descriptor_file_closure(const struct descriptor_file *file, const struct descriptor_file **ret_files, size_t max)
{
	size_t count = 0;

	if (max == 0)
		return 0;
	ret_files[count++] = file;
	for (size_t at = 0; at < count; at++) {
		for (size_t i = 0; i < ret_files[at]->import_count && count < max; i++) {
			if (!contains(ret_files, count, ret_files[at]->imports[i]))
				ret_files[count++] = ret_files[at]->imports[i];
		}
	}
	return count;
}
