/* Control tasks: traces, baselines, offsets; histograms and statistics. */
#include "crate.h"

#include <string.h>
#include <unistd.h>

#define TRACE_SAMPLES 8192
#define STATISTICS_BYTES 2600

static u32 statistics_bytes = STATISTICS_BYTES;
static int statistics_are_damaged;

/* Each task spoils what another one left in the memory of the module. */
static int task(u16 number, int all_is_allowed)
{
    u32 first = number, last = number;
    if (all_is_allowed && is_ready() && number == module_count()) {
        first = 0;
        last = number - 1;
    }
    for (u32 i = first; i <= last; i++) {
        int code = refuse(i, ONLINE_AND_IDLE);
        if (code) return code;
        module_at(i)->has_traces = module_at(i)->has_baselines = 0;
    }
    return 0;
}

int Pixie16AdjustOffsets(u16 number) { ENTER(); return task(number, 1); }
int Pixie16SetDACs(u16 number) { ENTER(); return task(number, 1); }

int Pixie16AcquireADCTrace(u16 number)
{
    ENTER();
    int code = task(number, 0);
    if (code) return code;
    module_at(number)->has_traces = 1;
    usleep(500); /* time for another thread to come in between */
    return 0;
}

int Pixie16ReadSglChanADCTrace(u16 *samples, u32 count, u16 number, u16 channel)
{
    ENTER();
    int code = refuse(number, ONLINE_AND_IDLE);
    if (code) return code;
    if (channel >= module_at(number)->channels) return -300;
    if (count > TRACE_SAMPLES || count % 2) return -802;
    if (!module_at(number)->has_traces) return -206;
    for (u32 i = 0; i < count; i++) samples[i] = 1000 * number + 100 * channel + i % 100;
    return 0;
}

static int is_rev_h(u16 number) { return module_at(number)->revision == 17; }

int PixieGetTraceLength(u16 number, u16 channel, u32 *length)
{
    (void)channel;
    ENTER();
    *length = TRACE_SAMPLES;
    return refuse(number, ONLINE);
}

int PixieGetHistogramLength(u16 number, u16 channel, u32 *length)
{
    (void)channel;
    ENTER();
    int code = refuse(number, ONLINE);
    if (!code) *length = is_rev_h(number) ? 16384 : 32768;
    return code;
}

int PixieGetMaxNumBaselines(u16 number, u16 channel, u32 *length)
{
    (void)channel;
    ENTER();
    int code = refuse(number, ONLINE);
    if (!code) *length = is_rev_h(number) ? 1927 : 3640;
    return code;
}

int Pixie16AcquireBaselines(u16 number)
{
    ENTER();
    int code = task(number, 0);
    if (code) return code;
    if (is_rev_h(number)) return -803;
    module_at(number)->has_baselines = 1;
    return 0;
}

int Pixie16ReadSglChanBaselines(double *values, double *times, u16 count, u16 number,
                                u16 channel)
{
    ENTER();
    int code = refuse(number, ONLINE_AND_IDLE);
    if (code) return code;
    if (channel >= module_at(number)->channels) return -300;
    if (!module_at(number)->has_baselines) return -206;
    if (count > 3640) violation("more baselines were asked for than there are");
    for (u32 i = 0; i < count && i < 3640; i++) {
        values[i] = 100 * channel + i;
        times[i] = 1e-6 * i;
    }
    return 0;
}

int Pixie16BLcutFinder(u16 number, u16 channel, u32 *cut)
{
    ENTER();
    int code = task(number, 0);
    if (code) return code;
    if (is_rev_h(number)) return -803;
    *cut = 40 + channel;
    return 0;
}

int Pixie16TauFinder(u16 number, double *tau)
{
    ENTER();
    int code = task(number, 0);
    if (code) return code;
    if (is_rev_h(number)) return -803;
    for (u32 i = 0; i < module_at(number)->channels; i++) tau[i] = i == 3 ? -1.0 : 10.0 + i;
    return 0;
}

int Pixie16ReadHistogramFromModule(u32 *counts, u32 words, u16 number, u16 channel)
{
    ENTER();
    int code = refuse(number, ONLINE);
    if (code) return code;
    u32 bins = is_rev_h(number) ? 16384 : 32768;
    for (u32 i = 0; i < words; i++)
        counts[i] = i < bins ? 7 * channel + i : 0xFFFFFFFF;
    return 0;
}

u32 Pixie16GetStatisticsSize(void)
{
    ENTER();
    return statistics_bytes;
}

/* The form of PixieSDK 5.3.0; numbers of 64 bits have their high word first. */
int Pixie16ReadStatisticsFromModule(u32 *blob, u16 number)
{
    ENTER();
    int code = refuse(number, ONLINE);
    if (code) return code;
    if ((uintptr_t)blob % 8) return -802;
    struct module *module = module_at(number);
    u32 parts = 1 + module->resumed;    /* each the same */
    memset(blob, 0, STATISTICS_BYTES);
    blob[0] = 0x20010928;
    blob[2] = module->channels;
    for (u32 c = 0; c < module->channels; c++) {
        u32 *channel = blob + 8 + 20 * c;
        channel[0] = parts;             /* fast peaks: 2**32 + 1000 */
        channel[1] = 1000 * parts;
        channel[3] = 50000000 * (c + 1) * parts; /* live time, ticks */
        channel[5] = 500 * parts;       /* channel events */
        channel[7] = 200000000 * parts; /* run time, 2 s in units of 10 ns */
        channel[11] = module->msps;
        channel[12] = module->msps == 500 ? 5 : module->msps == 250 ? 2 : 1;
    }
    blob[7] = 200000000 * parts;
    blob[648] = statistics_are_damaged ? 0 : 0x19650829;
    return 0;
}

static double number_at(const u32 *words) { return words[0] * 4294967296.0 + words[1]; }

static double wrong(const u32 *blob, u16 channel)
{
    if (!blob || blob[0] != 0x20010928 || blob[648] != 0x19650829) return -802.0;
    return channel < blob[2] ? 0 : -300.0;
}

#define COMPUTE(name, expression)                                                       \
    double Pixie16Compute##name(u32 *blob, u16 number, u16 channel)                     \
    {                                                                                   \
        (void)number;                                                                   \
        ENTER();                                                                        \
        double code = wrong(blob, channel);                                             \
        if (code) return code;                                                          \
        const u32 *c = blob + 8 + 20 * channel;                                         \
        double live = number_at(c + 2) * c[12] * 1e-6 / c[11], real = number_at(c + 6) * 1e-8; \
        (void)live, (void)real;                                                         \
        return expression;                                                              \
    }

COMPUTE(LiveTime, live)
COMPUTE(RawInputCount, number_at(c))
COMPUTE(RawOutputCount, number_at(c + 4))
COMPUTE(InputCountRate, live ? number_at(c) / live : 0)
COMPUTE(OutputCountRate, real ? number_at(c + 4) / real : 0)

double Pixie16ComputeRealTime(u32 *blob, u16 number)
{
    (void)number;
    ENTER();
    double code = wrong(blob, 0);
    return code ? code : number_at(blob + 6) * 1e-8;
}

void test_set_statistics_bytes(u32 bytes) { statistics_bytes = bytes; }
void test_damage_statistics(int damaged) { statistics_are_damaged = damaged; }
