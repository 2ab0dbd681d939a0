/* option_file_fuzz.c - any bytes as a configuration file, and each of its values as an option of each type. */
#include "lib/options/option_file.h"
#include "lib/options/option_value.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/memory_file.h"

static void set_each(const char *text)
{
	_cleanup_(arena_release)
	struct arena arena = {0};
	struct option_list list = {0};
	int64_t number = 7;
	int64_t duration_ms = 7;
	bool is_set = false;
	const struct option options[] = {
		{.flag = "n", .type = OPTION_INT, .min = -5, .max = 500, .place = &number},
		{.flag = "d", .type = OPTION_DURATION_MS, .place = &duration_ms},
		{.flag = "b", .type = OPTION_BOOL, .place = &is_set},
		{.flag = "l", .type = OPTION_LIST, .place = &list},
	};
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		(void)option_value_set(&options[i], OPTION_SOURCE_FILE, text, &arena, &err);
	CLAIM(number >= -5 && number <= 500, "%lld is out of range", (long long)number);
	CLAIM(duration_ms >= 0, "a duration of %lld ms", (long long)duration_ms);
	free(list.items);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct memory_file memory = memory_file_new(data, len);
	struct option_file file;
	struct problems problems;

	problems_init(&problems);
	if (option_file_read(&file, memory.path, &problems) < 0)
		CLAIM(problems.count > 0, "refused without a reason");
	for (size_t i = 0; i < file.count; i++) {
		CLAIM(!strpbrk(file.entries[i].key, "=\n#") || file.entries[i].key[0] != '#', "'%s' is a key",
		      file.entries[i].key);
		CLAIM(!strchr(file.entries[i].value, '\n'), "a value of two lines");
		set_each(file.entries[i].value);
	}
	option_file_release(&file);
	memory_file_release(&memory);
	problems_release(&problems);
	return 0;
}
