/* queue.c - see queue.h. */
#include "coordinator/engine/queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/condition.h"
#include "lib/base/memory.h"

void queue_init(struct queue *queue, size_t max)
{
	*queue = (struct queue){.max = max, .starts_max = SIZE_MAX};
	(void)pthread_mutex_init(&queue->mu, NULL); /* default attributes cannot fail on Linux */
	condition_init(&queue->changed);
	queue->gets_end = &queue->load.gets;
	queue->requests_end = &queue->load.requests;
	queue->deliveries_end = &queue->load.deliveries;
}

void queue_release(struct queue *queue)
{
	assert(queue->line_count == 0 && !queue->load.gets && !queue->load.requests && !queue->load.deliveries);
	free(queue->lines);
	(void)pthread_cond_destroy(&queue->changed);
	(void)pthread_mutex_destroy(&queue->mu);
}

/* With `mu` held, as the next. */
static size_t count_asked(const struct queue *queue)
{
	return queue->load.start_count + queue->load.get_count + queue->load.request_count;
}

static enum queue_answer admit(const struct queue *queue, size_t count)
{
	if (queue->is_closed)
		return QUEUE_CLOSED;
	return count_asked(queue) + count <= queue->max ? QUEUE_TAKEN : QUEUE_FULL;
}

static size_t count_all(const struct queue *queue)
{
	return count_asked(queue) + queue->load.delivery_count;
}

/* ---- starts, a line for each definition that has any; all with `mu` held ---- */
static struct queue_line *find_line(const struct queue *queue, const char *definition)
{
	for (size_t i = 0; i < queue->line_count; i++)
		if (strcmp(queue->lines[i].definition, definition) == 0)
			return &queue->lines[i];
	return NULL;
}

static struct queue_line *add_line(struct queue *queue, const char *definition)
{
	if (queue->line_count == queue->line_max) {
		queue->line_max = queue->line_max ? queue->line_max * 2 : 8;
		queue->lines = xrealloc_array(queue->lines, queue->line_max, sizeof(*queue->lines));
	}
	queue->lines[queue->line_count] = (struct queue_line){.definition = definition};
	return &queue->lines[queue->line_count++];
}

static void add_start(struct queue *queue, struct start_item *item)
{
	const char *definition = item->request.plan->definition.name;
	struct queue_line *line = find_line(queue, definition);

	if (!line)
		line = add_line(queue, definition);
	item->next = NULL;
	*(line->first ? &line->last->next : &line->first) = item;
	line->last = item;
	line->count++;
	queue->load.start_count++;
	queue->input_bytes += item->request.input.len;
}

/* One definition's flood fills the queue, and the others still get in: each may have its share of it beside. */
static bool has_share(const struct queue *queue, const char *definition, size_t count)
{
	const struct queue_line *line = find_line(queue, definition);
	const size_t waiting = line ? line->count : 0;
	const size_t max = queue->starts_max < queue->max ? queue->starts_max : queue->max;

	return waiting + count <= max / (queue->line_count + (line ? 0 : 1));
}

static enum queue_answer admit_starts(const struct queue *queue, const char *definition, size_t count,
				      size_t input_bytes)
{
	enum queue_answer answer = admit(queue, count);

	if (answer != QUEUE_CLOSED && queue->load.start_count > 0 &&
	    queue->input_bytes + input_bytes > QUEUE_INPUT_BYTES_MAX)
		return QUEUE_FULL;
	/* Where none waits, a batch gets in however small the bound is. */
	if (answer == QUEUE_TAKEN && queue->load.start_count > 0 &&
	    (queue->load.start_count >= queue->starts_max || count > queue->starts_max - queue->load.start_count))
		answer = QUEUE_FULL;
	return answer == QUEUE_FULL && has_share(queue, definition, count) ? QUEUE_TAKEN : answer;
}

enum queue_answer queue_look(struct queue *queue, const char *definition)
{
	enum queue_answer answer;

	(void)pthread_mutex_lock(&queue->mu);
	answer = admit_starts(queue, definition, 1, 1);
	(void)pthread_mutex_unlock(&queue->mu);
	return answer;
}

enum queue_answer queue_push_starts(struct queue *queue, struct start_item *items, size_t count)
{
	enum queue_answer answer;
	size_t input_bytes = 0;

	assert(count > 0);
	for (const struct start_item *item = items; item; item = item->next)
		input_bytes += item->request.input.len;
	(void)pthread_mutex_lock(&queue->mu);
	answer = admit_starts(queue, items->request.plan->definition.name, count, input_bytes);
	if (answer == QUEUE_TAKEN) {
		for (struct start_item *item = items, *next; item; item = next) {
			next = item->next;
			add_start(queue, item);
		}
		(void)pthread_cond_signal(&queue->changed);
	}
	(void)pthread_mutex_unlock(&queue->mu);
	return answer;
}

enum queue_answer queue_push_get(struct queue *queue, struct get_item *item)
{
	enum queue_answer answer;

	(void)pthread_mutex_lock(&queue->mu);
	answer = admit(queue, 1);
	if (answer == QUEUE_TAKEN) {
		*queue->gets_end = item;
		queue->gets_end = &item->next;
		queue->load.get_count++;
		(void)pthread_cond_signal(&queue->changed);
	}
	(void)pthread_mutex_unlock(&queue->mu);
	return answer;
}

enum queue_answer queue_push_request(struct queue *queue, struct request_link *item)
{
	enum queue_answer answer;

	(void)pthread_mutex_lock(&queue->mu);
	answer = admit(queue, 1);
	if (answer == QUEUE_TAKEN) {
		*queue->requests_end = item;
		queue->requests_end = &item->next;
		queue->load.request_count++;
		(void)pthread_cond_signal(&queue->changed);
	}
	(void)pthread_mutex_unlock(&queue->mu);
	return answer;
}

enum queue_answer queue_push_delivery(struct queue *queue, struct delivery_item *item)
{
	enum queue_answer answer;

	(void)pthread_mutex_lock(&queue->mu);
	answer = queue->is_over ? QUEUE_CLOSED : QUEUE_TAKEN;
	if (answer == QUEUE_TAKEN) {
		*queue->deliveries_end = item;
		queue->deliveries_end = &item->next;
		queue->load.delivery_count++;
		queue->load.record_count += item->batch->count;
		(void)pthread_cond_signal(&queue->changed);
	}
	(void)pthread_mutex_unlock(&queue->mu);
	return answer;
}

/* The next one of the line whose turn it is. */
static struct start_item *take_start(struct queue *queue)
{
	struct queue_line *line;
	struct start_item *item;

	queue->line_next = queue->line_next < queue->line_count ? queue->line_next : 0;
	line = &queue->lines[queue->line_next];
	item = line->first;
	line->first = item->next;
	line->count--;
	queue->load.start_count--;
	queue->input_bytes -= item->request.input.len;
	if (line->first)
		queue->line_next++;
	else
		memmove(line, line + 1, (--queue->line_count - queue->line_next) * sizeof(*line));
	return item;
}

/* With `mu` held: takes so many starts, one of each definition in turn, and leaves the others. */
static void take_starts(struct queue *queue, size_t starts_max, struct queue_load *load)
{
	struct start_item **end = &load->starts;

	for (load->start_count = 0; queue->line_count > 0 && load->start_count < starts_max; load->start_count++) {
		*end = take_start(queue);
		end = &(*end)->next;
	}
	*end = NULL;
}

/* With `mu` held. */
static struct queue_load take_load(struct queue *queue, size_t starts_max)
{
	struct queue_load load = {0};

	take_starts(queue, starts_max, &load);
	load.gets = queue->load.gets;
	load.get_count = queue->load.get_count;
	load.requests = queue->load.requests;
	load.request_count = queue->load.request_count;
	load.deliveries = queue->load.deliveries;
	load.delivery_count = queue->load.delivery_count;
	load.record_count = queue->load.record_count;
	queue->load.gets = NULL;
	queue->load.get_count = 0;
	queue->gets_end = &queue->load.gets;
	queue->load.requests = NULL;
	queue->load.request_count = 0;
	queue->requests_end = &queue->load.requests;
	queue->load.deliveries = NULL;
	queue->load.delivery_count = 0;
	queue->load.record_count = 0;
	queue->deliveries_end = &queue->load.deliveries;
	return load;
}

void queue_take(struct queue *queue, size_t starts_max, struct queue_load *ret_load)
{
	(void)pthread_mutex_lock(&queue->mu);
	*ret_load = take_load(queue, starts_max);
	(void)pthread_mutex_unlock(&queue->mu);
}

void queue_end(struct queue *queue, struct queue_load *ret_load)
{
	(void)pthread_mutex_lock(&queue->mu);
	queue->is_closed = true;
	queue->is_over = true;
	*ret_load = take_load(queue, SIZE_MAX);
	(void)pthread_mutex_unlock(&queue->mu);
}

void queue_wait(struct queue *queue, int64_t until_us)
{
	(void)pthread_mutex_lock(&queue->mu);
	if (count_all(queue) == 0) /* one wake-up too many does no harm: the caller looks again */
		(void)condition_wait_until(&queue->changed, &queue->mu, until_us);
	(void)pthread_mutex_unlock(&queue->mu);
}

void queue_nudge(struct queue *queue)
{
	(void)pthread_mutex_lock(&queue->mu);
	(void)pthread_cond_signal(&queue->changed);
	(void)pthread_mutex_unlock(&queue->mu);
}

void queue_close(struct queue *queue)
{
	(void)pthread_mutex_lock(&queue->mu);
	queue->is_closed = true;
	(void)pthread_cond_signal(&queue->changed);
	(void)pthread_mutex_unlock(&queue->mu);
}

size_t queue_records(struct queue *queue)
{
	size_t count;

	(void)pthread_mutex_lock(&queue->mu);
	count = queue->load.record_count;
	(void)pthread_mutex_unlock(&queue->mu);
	return count;
}

size_t queue_starts(struct queue *queue)
{
	size_t count;

	(void)pthread_mutex_lock(&queue->mu);
	count = queue->load.start_count;
	(void)pthread_mutex_unlock(&queue->mu);
	return count;
}

void queue_limit_starts(struct queue *queue, size_t max)
{
	(void)pthread_mutex_lock(&queue->mu);
	queue->starts_max = max;
	(void)pthread_mutex_unlock(&queue->mu);
}

size_t queue_length(struct queue *queue)
{
	size_t count;

	(void)pthread_mutex_lock(&queue->mu);
	count = count_all(queue);
	(void)pthread_mutex_unlock(&queue->mu);
	return count;
}
