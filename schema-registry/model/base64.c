/* base64.c - see base64.h. */
#include "schema-registry/model/base64.h"

void base64_append(struct buffer *out, struct bytes data)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	buffer_reserve(out, data.len / 3 * 4 + 4);
	for (size_t i = 0; i < data.len; i += 3) {
		size_t left = data.len - i;
		uint32_t group = (uint32_t)data.data[i] << 16 | (left > 1 ? (uint32_t)data.data[i + 1] << 8 : 0) |
				 (left > 2 ? data.data[i + 2] : 0);
		char text[4] = {alphabet[group >> 18], alphabet[group >> 12 & 63],
				left > 1 ? alphabet[group >> 6 & 63] : '=', left > 2 ? alphabet[group & 63] : '='};

		buffer_append(out, text, sizeof(text));
	}
}

static int digit_of(uint8_t character)
{
	if (character >= 'A' && character <= 'Z')
		return character - 'A';
	if (character >= 'a' && character <= 'z')
		return character - 'a' + 26;
	if (character >= '0' && character <= '9')
		return character - '0' + 52;
	if (character == '+' || character == '-')
		return 62;
	return character == '/' || character == '_' ? 63 : -1;
}

/* The length without padding, or false where the padding cannot be. */
static bool unpadded_length(struct bytes text, size_t *ret_len)
{
	size_t len = text.len;

	while (len > 0 && text.len - len < 2 && text.data[len - 1] == '=')
		len--;
	if (len % 4 == 1 || (text.len != len && text.len % 4 != 0))
		return false;
	*ret_len = len;
	return true;
}

bool base64_is_valid(struct bytes text)
{
	size_t len;

	if (!unpadded_length(text, &len))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (digit_of(text.data[i]) < 0)
			return false;
	}
	return true;
}

bool base64_decode(struct bytes text, struct buffer *out)
{
	size_t len;
	uint32_t group = 0;
	int bits = 0;

	if (!base64_is_valid(text) || !unpadded_length(text, &len))
		return false;
	buffer_reserve(out, len / 4 * 3 + 3);
	for (size_t i = 0; i < len; i++) {
		group = group << 6 | (uint32_t)digit_of(text.data[i]);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			buffer_append_byte(out, (uint8_t)(group >> bits));
		}
	}
	return true;
}
