/*
 * token.h - bearer tokens: random, told once, kept as a hash.
 *
 * Why:        a token has 256 random bits, so nobody can guess or enumerate it, and a plain SHA-256 is as good as a slow
 *             hash; whoever reads the access file cannot use what stands there.
 */
#ifndef LIB_SECURITY_TOKEN_H
#define LIB_SECURITY_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TOKEN_HASH_BYTES = 32, TOKEN_HASH_TEXT_LEN = 7 + 64, TOKEN_TEXT_LEN = 7 + 64, TOKEN_BYTES_MAX = 4096 };

void token_new(char ret_text[TOKEN_TEXT_LEN + 1]); /* "amends_" and 64 hexadecimal digits */
void token_hash(const char *text, size_t len, uint8_t ret_hash[TOKEN_HASH_BYTES]);
void token_hash_format(const uint8_t hash[TOKEN_HASH_BYTES], char ret_text[TOKEN_HASH_TEXT_LEN + 1]); /* "sha256:…" */
bool token_hash_parse(const char *text, uint8_t ret_hash[TOKEN_HASH_BYTES]);
bool token_hash_equal(const uint8_t a[TOKEN_HASH_BYTES], const uint8_t b[TOKEN_HASH_BYTES]); /* in constant time */

#endif
