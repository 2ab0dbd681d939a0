/* saga_encoding_fuzz.c - any bytes as a stored saga: refused, or a saga that holds the invariants and is stored alike. */
#include "coordinator/saga/saga.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/coordinator/saga/saga_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct world world;
	_cleanup_(arena_release)
	struct arena arena = {0};
	_cleanup_(buffer_release)
	struct buffer first = {0};
	_cleanup_(buffer_release)
	struct buffer second = {0};
	struct bytes bytes = {data, len};
	struct saga *saga;
	struct saga *again;
	struct saga head;
	struct error err;

	if (!world.definition.step_count)
		world_init(&world, "ccpr");
	(void)saga_decode_head(bytes, &arena, &head, &err);
	if (saga_decode(&world.definition, bytes, &arena, &saga, &err) < 0)
		return 0;
	saga_encode(saga, &first);
	CLAIM(saga_decode(&world.definition, buffer_bytes(&first), &arena, &again, &err) == 0,
	      "stored, but not read: %s", err.msg);
	saga_encode(again, &second);
	CLAIM(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)), "stored differently the second time");
	return 0;
}
