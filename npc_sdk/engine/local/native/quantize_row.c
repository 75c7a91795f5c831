/* One input row to eight bits, a scale for each group of columns, after its norm or activation. Plain C that the compiler
   turns into vectors; compiled once for each instruction set, with QUANTIZE_ROW as the name. Sums run over 16 lanes in a
   fixed order and nothing is contracted, so every instruction set rounds alike. */
#include "kernels.h"

#include <math.h>

#ifndef QUANTIZE_ROW
#error "compile with -DQUANTIZE_ROW=quantize_row_avx512 or quantize_row_avx2"
#endif

static float sum_of(const float *lanes) {
    float sum = 0;
    for (int i = 0; i < LANES; i++) sum += lanes[i];
    return sum;
}

static float mean_of(const float *restrict row, int64_t columns) {
    float lanes[LANES] = {0};
    for (int64_t i = 0; i < columns; i += LANES)
        for (int j = 0; j < LANES; j++) lanes[j] += row[i + j];
    return sum_of(lanes) / (float)columns;
}

static float mean_square_of(const float *restrict row, int64_t columns, float centre) {
    float lanes[LANES] = {0};
    for (int64_t i = 0; i < columns; i += LANES)
        for (int j = 0; j < LANES; j++) {
            float off = row[i + j] - centre;
            lanes[j] += off * off;
        }
    return sum_of(lanes) / (float)columns;
}

static void transform(const Before *before, int64_t columns, float *restrict row) {
    const float *restrict weight = before->weight, *restrict bias = before->bias;
    if (before->kind == BEFORE_LAYER_NORM) {
        float mean = mean_of(row, columns), factor = 1.0f / sqrtf(mean_square_of(row, columns, mean) + before->eps);
        for (int64_t i = 0; i < columns; i++) row[i] = (row[i] - mean) * factor * weight[i] + bias[i];
    } else if (before->kind == BEFORE_RMS_NORM) {
        float factor = 1.0f / sqrtf(mean_square_of(row, columns, 0.0f) + before->eps);
        for (int64_t i = 0; i < columns; i++) row[i] = row[i] * factor * weight[i];
    } else if (before->kind == BEFORE_RELU2) {
        for (int64_t i = 0; i < columns; i++) {
            float positive = row[i] <= 0 ? 0 : row[i]; /* not-a-number stays one */
            row[i] = positive * positive;
        }
    }
}

/* The largest size of a group, not-a-number where one is in it. */
static float largest(const float *restrict row, int64_t group) {
    float lanes[LANES] = {0}, ill[LANES] = {0}, most = 0;
    for (int64_t i = 0; i < group; i += LANES)
        for (int j = 0; j < LANES; j++) {
            float size = fabsf(row[i + j]);
            lanes[j] = size > lanes[j] ? size : lanes[j];
            ill[j] += 0 * size;
        }
    for (int j = 0; j < LANES; j++) most = lanes[j] > most ? lanes[j] : most;
    return most + sum_of(ill);
}

void QUANTIZE_ROW(const Before *before, int64_t columns, int64_t group, const uint16_t *restrict x, float *restrict row,
                  int8_t *restrict codes, float *restrict scale, int32_t *restrict sum) {
    for (int64_t i = 0; i < columns; i++) row[i] = from_bf16(x[i]);
    transform(before, columns, row);
    for (int64_t first = 0, g = 0; first < columns; first += group, g++) {
        float most = largest(row + first, group), factor = most > 0 && most < INFINITY ? 127.0f / most : 0.0f;
        int32_t total = 0;
        for (int64_t i = first; i < first + group; i++) {
            float scaled = factor > 0 ? row[i] * factor : 0.0f;
            int32_t code = (int32_t)rintf(scaled);
            codes[i] = (int8_t)code;
            total += code;
        }
        scale[g] = most < INFINITY ? most / 127.0f : NAN; /* an overflow is passed on, not hidden */
        sum[g] = total;
    }
}
