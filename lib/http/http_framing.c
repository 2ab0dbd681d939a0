/* http_framing.c - see http_framing.h. */
#include "lib/http/http_framing.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct head {
	const char *fault; /* of a name or a value; NULL: none */
	const char *coding;
	unsigned lengths;
	unsigned codings;
	unsigned hosts;
};

static bool is_name(const char *name, size_t len)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!is_plain && (c == 0 || !strchr(marks, c)))
			return false;
	}
	return len > 0;
}

static bool is_value(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)value[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* libmicrohttpd 0.9.75 puts the rest of a folded line behind the name: `Content-Length: 2` and ` 3` is `Content-Length3: 2`. */
static bool is_folded(const char *name)
{
	static const char *const names[] = {MHD_HTTP_HEADER_CONTENT_LENGTH, MHD_HTTP_HEADER_TRANSFER_ENCODING,
					    MHD_HTTP_HEADER_HOST};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(names[i]);

		if (strncasecmp(name, names[i], len) == 0 && name[len])
			return true;
	}
	return false;
}

static enum MHD_Result look_at(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_len, const char *value,
			       size_t value_len)
{
	struct head *head = ctx;

	(void)kind; /* only headers are asked for */
	if (!is_name(name, name_len))
		head->fault = "a header's name holds a space or another character that no name has";
	else if (is_folded(name))
		head->fault = "the header that tells where the request ends, or its host, goes on in a second line";
	else if (value && !is_value(value, value_len))
		head->fault = "a header's value holds a control character";
	if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0)
		head->lengths++;
	if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0)
		head->hosts++;
	if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
		head->codings++;
		head->coding = value ? value : "";
	}
	return MHD_YES;
}

static bool is_target(const char *uri)
{
	for (; *uri; uri++) {
		if ((unsigned char)*uri <= ' ' || *uri == 0x7f)
			return false;
	}
	return true;
}

/* HTTP/1.x: libmicrohttpd answers other versions itself, but takes a request line for one whose end it did not see. */
static bool is_version(const char *version)
{
	return strncmp(version, "HTTP/1.", 7) == 0 && version[7] >= '0' && version[7] <= '9' && !version[8];
}

/* Of several faults the first one here is told. */
const char *http_framing_fault(struct MHD_Connection *connection, const char *uri, const char *version, int *ret_status)
{
	struct head head = {0};
	bool is_old = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;

	(void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, look_at,
					  &head); /* their count does not matter */
	*ret_status = 400;
	if (!is_version(version))
		return "the request line is not a method, a path and HTTP/1.1, with one space between them";
	if (!is_target(uri))
		return "the path or the query holds a space or a control character";
	if (head.fault)
		return head.fault;
	if (head.lengths > 1)
		return "there is more than one Content-Length";
	if (head.lengths > 0 && head.codings > 0)
		return "there are both Content-Length and Transfer-Encoding";
	if (head.codings > 1)
		return "there is more than one Transfer-Encoding";
	if (head.codings > 0 && is_old)
		return "HTTP/1.0 has no Transfer-Encoding";
	if (head.hosts > 1 || (head.hosts == 0 && !is_old))
		return head.hosts ? "there is more than one Host" : "there is no Host";
	if (head.codings > 0 && strcasecmp(head.coding, "chunked") != 0) {
		*ret_status = 501;
		return "of transfer codings only chunked is understood";
	}
	return NULL;
}
