/* uuid.c - see uuid.h. */
#include "lib/base/uuid.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "lib/base/clock.h"

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static uint64_t last_ms;      /* guarded by mu */
static uint16_t last_counter; /* guarded by mu; 12 bits */
static uint8_t pool[4096]; /* guarded by mu; random bytes for the next ids: asking the kernel is most of an id's cost */
static size_t pool_left;   /* guarded by mu */

/* Under mu. */
static void fill_pool(void)
{
	size_t filled = 0;

	while (filled < sizeof(pool)) {
		const ssize_t count = getrandom(pool + filled, sizeof(pool) - filled, 0);

		if (count < 0 && errno != EINTR)
			abort();                         /* there is no other way to fail */
		filled += count > 0 ? (size_t)count : 0; /* a signal cuts it short */
	}
	pool_left = sizeof(pool);
}

/* Under mu. */
static void take_random(void *data, size_t len)
{
	if (pool_left < len)
		fill_pool();
	pool_left -= len;
	memcpy(data, pool + pool_left, len);
}

struct uuid uuid_v7_new(void)
{
	struct uuid id;
	uint64_t ms = (uint64_t)clock_real_us() / 1000;
	uint16_t counter;

	(void)pthread_mutex_lock(&mu);
	take_random(id.data, sizeof(id.data));
	counter = (uint16_t)((id.data[6] << 8 | id.data[7]) & 0x7ff); /* the top bit is room to count up */
	if (ms <= last_ms) {
		ms = last_ms;
		counter = (uint16_t)(last_counter + 1);
		if (counter > 0xfff) {
			ms++;
			counter = 0;
		}
	}
	last_ms = ms;
	last_counter = counter;
	(void)pthread_mutex_unlock(&mu);
	for (int i = 0; i < 6; i++)
		id.data[i] = (uint8_t)(ms >> (40 - 8 * i));
	id.data[6] = (uint8_t)(0x70 | counter >> 8);
	id.data[7] = (uint8_t)counter;
	id.data[8] = (uint8_t)((id.data[8] & 0x3f) | 0x80);
	return id;
}

void uuid_format(struct uuid id, char ret_text[UUID_TEXT_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	char *at = ret_text;

	for (size_t i = 0; i < sizeof(id.data); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = digits[id.data[i] >> 4];
		*at++ = digits[id.data[i] & 15];
	}
	*at = 0;
}

/* One more than the digit's value; 0: it is none. */
static const uint8_t hex_values[256] = {
	['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
	['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

bool uuid_parse(const char *text, size_t len, struct uuid *ret_id)
{
	struct uuid id;
	const char *at = text;

	if (len != UUID_TEXT_LEN)
		return false;
	for (size_t i = 0; i < sizeof(id.data); i++) {
		uint8_t high, low;

		if ((i == 4 || i == 6 || i == 8 || i == 10) && *at++ != '-')
			return false;
		high = hex_values[(uint8_t)*at++];
		low = hex_values[(uint8_t)*at++];
		if (!high || !low)
			return false;
		id.data[i] = (uint8_t)((high - 1) << 4 | (low - 1));
	}
	*ret_id = id;
	return true;
}

int uuid_version(struct uuid id)
{
	return id.data[6] >> 4;
}

uint64_t uuid_v7_unix_ms(struct uuid id)
{
	uint64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id.data[i];
	return ms;
}
