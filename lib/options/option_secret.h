/*
 * option_secret.h - what in a configuration is a secret: found, hidden, and read from files that not everybody can read.
 * Not for callers of options.h.
 */
#ifndef LIB_OPTIONS_OPTION_SECRET_H
#define LIB_OPTIONS_OPTION_SECRET_H

#include <sys/stat.h>

#include "lib/base/bytes.h"
#include "lib/options/options.h"

/* A secret option, or a password in a connection string or URL. */
bool option_text_is_secret(const struct option *option, const char *text);
/* By librdkafka's names: sasl.password, ssl.key.pem, sasl.oauthbearer.client.secret …; or a URL with a password. */
bool option_property_is_secret(const char *name, const char *value);

/* The text with every password in it replaced by stars. */
void option_text_append_masked(struct buffer *out, const struct option *option, const char *text);
void option_property_append_masked(struct buffer *out, const char *name, const char *value);

/* The mode lets users beside owner and group in. */
bool option_file_is_open_to_all(const struct stat *status);

/* The file's content without the newline at its end, on the heap. ERR_INVALID says what to do about the file. */
NODISCARD int option_secret_read(const char *path, char **ret_text, struct error *err);

#endif
