/* Bilinear resizing of images: [batch, height, width, channels] of bytes or floats, to floats.

   * A result is made of the four pixels around its centre by the expression of TensorFlow's kernel
     with half-pixel centres, in its order. So the values are the same bit for bit, as long as the
     compiler does not make one operation of a product and a sum.
   * What lies along the width does not depend on the output row: a row of the input that two rows of
     the output need is made once. */

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef float four __attribute__((vector_size(16)));

/* The two pixels around a centre. */
typedef struct {
    int64_t low, high; /* where they begin, in elements */
    float share;       /* of the second one */
} Between;

typedef struct {
    const void *images;
    int64_t bytes; /* whether they are uint8 */
    int64_t image_stride, row_stride; /* in elements; pixels lie side by side */
    int64_t height, width, channels;
    float *result;
    int64_t new_height, new_width;
} Task;

typedef struct {
    const Task *task;
    int64_t first, last; /* the rows of the result, counted through all images */
    int failed;
} Part;

static void find(Between *found, int64_t have, int64_t want, int64_t step)
{
    float scale = (float)have / (float)want;
    for (int64_t i = 0; i < want; i++) {
        float place = ((float)i + 0.5f) * scale - 0.5f;
        int64_t below = (int64_t)place - ((float)(int64_t)place > place);
        int64_t above = below + ((float)below < place);
        found[i].low = (below > 0 ? below : 0) * step;
        found[i].high = (above < have ? above : have - 1) * step;
        found[i].share = place - (float)below;
    }
}

static inline four load(const float *from)
{
    four value;
    memcpy(&value, from, sizeof value);
    return value;
}

/* A row of floats at the new width. Both have room for a vector behind their last element: what is
   written beyond a pixel, the next one overwrites. */
static void across(const float *restrict row, float *restrict out, const Between *columns,
                   int64_t width, int64_t channels)
{
    if (channels == 1) {
        for (int64_t x = 0; x < width; x++) {
            float left = row[columns[x].low], right = row[columns[x].high];
            out[x] = left + (right - left) * columns[x].share;
        }
        return;
    }
    for (int64_t x = 0; x < width; x++) {
        const float *lows = row + columns[x].low, *highs = row + columns[x].high;
        float share = columns[x].share;
        int64_t c = 0;
        do {
            four left = load(lows + c);
            four made = left + (load(highs + c) - left) * share;
            memcpy(out + c, &made, sizeof made);
            c += 4;
        } while (c < channels);
        out += channels;
    }
}

/* A row of the input at the new width, by way of floats; from pixels far apart without it. */
#define DEFINE_ROW(NAME, TYPE)                                                                    \
    static void NAME(const TYPE *restrict row, float *restrict floats, float *restrict out,       \
                     const Between *columns, const Task *task)                                    \
    {                                                                                             \
        int64_t channels = task->channels, have = task->width, width = task->new_width;           \
        if (have <= 4 * width) {                                                                  \
            for (int64_t i = 0; i < have * channels; i++)                                         \
                floats[i] = (float)row[i];                                                        \
            across(floats, out, columns, width, channels);                                        \
            return;                                                                               \
        }                                                                                         \
        for (int64_t x = 0; x < width; x++)                                                       \
            for (int64_t c = 0; c < channels; c++) {                                              \
                float left = (float)row[columns[x].low + c];                                      \
                float right = (float)row[columns[x].high + c];                                    \
                *out++ = left + (right - left) * columns[x].share;                                \
            }                                                                                     \
    }

DEFINE_ROW(row_of_bytes, uint8_t)
DEFINE_ROW(row_of_floats, float)

static void *run(void *argument)
{
    Part *part = argument;
    const Task *task = part->task;
    int64_t channels = task->channels, height = task->height, new_height = task->new_height;
    int64_t length = task->new_width * channels, room = length + 4;
    int64_t input = task->width * channels + 4;
    Between *columns = malloc((task->new_width + new_height) * sizeof(Between));
    float *memory = calloc(2 * room + input, sizeof(float));
    if (!columns || !memory) {
        part->failed = 1;
    } else {
        Between *lines = columns + task->new_width;
        float *made[2] = {memory, memory + room}, *floats = memory + 2 * room;
        int64_t held[2] = {-1, -1}; /* which rows of the input these are made of */
        find(columns, task->width, task->new_width, channels);
        find(lines, height, new_height, 1);
        for (int64_t at = part->first; at < part->last; at++) {
            int64_t image = at / new_height;
            Between line = lines[at - image * new_height];
            int64_t needed[2] = {image * height + line.low, image * height + line.high};
            int slots[2];
            for (int i = 0; i < 2; i++) {
                int slot = needed[i] == held[0] ? 0 : needed[i] == held[1] ? 1 : -1;
                if (slot < 0) {
                    slot = i ? 1 - slots[0] : held[0] == needed[1];
                    int64_t start = image * task->image_stride +
                                    (needed[i] - image * height) * task->row_stride;
                    if (task->bytes)
                        row_of_bytes((const uint8_t *)task->images + start, floats, made[slot],
                                     columns, task);
                    else
                        row_of_floats((const float *)task->images + start, floats, made[slot],
                                      columns, task);
                    held[slot] = needed[i];
                }
                slots[i] = slot;
            }
            const float *restrict top = made[slots[0]], *restrict bottom = made[slots[1]];
            float *restrict out = task->result + at * length;
            for (int64_t i = 0; i < length; i++)
                out[i] = top[i] + (bottom[i] - top[i]) * line.share;
        }
    }
    free(columns);
    free(memory);
    return NULL;
}

#define MOST_THREADS 64

/* Resizes `batch` images in so many threads; returns 0, or 1 where memory lacks. */
int resize_bilinear(const void *images, int64_t bytes, int64_t image_stride, int64_t row_stride,
                    int64_t batch, int64_t height, int64_t width, int64_t channels, float *result,
                    int64_t new_height, int64_t new_width, int64_t threads)
{
    Task task = {images, bytes, image_stride, row_stride, height, width, channels,
                 result, new_height, new_width};
    int64_t rows = batch * new_height;
    Part parts[MOST_THREADS];
    pthread_t started[MOST_THREADS];
    int running[MOST_THREADS] = {0}, failed = 0;
    threads = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
    for (int64_t i = 0; i < threads; i++)
        parts[i] = (Part){&task, rows * i / threads, rows * (i + 1) / threads, 0};
    for (int64_t i = 1; i < threads; i++)
        running[i] = !pthread_create(&started[i], NULL, run, &parts[i]);
    for (int64_t i = 0; i < threads; i++)
        if (!running[i])
            run(&parts[i]);
    for (int64_t i = 0; i < threads; i++) {
        if (running[i])
            pthread_join(started[i], NULL);
        failed |= parts[i].failed;
    }
    return failed;
}
