/* answer_fuzz.c - any bytes of a coordinator as sagactl takes them: details of a failure, and texts for a terminal. */
#include "cli/safe_text.h"
#include "lib/rpc/rpc_details.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(buffer_release)
	struct buffer safe = {0};
	_cleanup_(buffer_release)
	struct buffer cut = {0};
	struct bytes bytes = {data, len};
	struct problems problems;

	problems_init(&problems);
	rpc_details_add_problems(bytes, &problems);
	CLAIM(rpc_details_retry_after_ms(bytes) >= -1, "a delay before now");
	problems_release(&problems);

	safe_text_append(&safe, (const char *)data, len);
	CLAIM(utf8_is_valid(safe.data, safe.len), "a safe text that is no UTF-8");
	for (size_t i = 0; i < safe.len; i++)
		CLAIM(safe.data[i] >= 0x20 && safe.data[i] != 0x7F, "control character %d", safe.data[i]);
	safe_text_append_cut(&cut, buffer_text(&safe), 20);
	CLAIM(safe_text_width(buffer_text(&cut)) <= 20, "wider than asked for: '%s'", buffer_text(&cut));
	return 0;
}
