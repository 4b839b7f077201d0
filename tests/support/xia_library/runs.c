/* Runs, and the queues of list-mode words. */
#define _GNU_SOURCE /* dladdr */
#include "crate.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ALL_MODULES_WAIT "SYNCH_WAIT"
#define RUN_LEADER (1 << 6)
#define RESUME_RUN 0

static int at_once, meeting, thief, start_failure = -1, end_failure = -1;
static pthread_cond_t met = PTHREAD_COND_INITIALIZER;

/* The caller holds the mutex. What does not fit into the pool is lost, silently. */
static void deliver(struct module *module, const u32 *words, size_t count)
{
    size_t room = module->pool_words - module->queued;
    size_t kept = count < room ? count : room;
    if (!kept && !count) return;
    module->queue = realloc(module->queue, (module->queued + kept + 1) * sizeof(u32));
    memcpy(module->queue + module->queued, words, kept * sizeof(u32));
    module->queued += kept;
    module->stats.in += 4 * kept;
    module->stats.dma_in += 4 * count;
    module->stats.dropped += count - kept;
}

static void advance(struct module *module, size_t until)
{
    if (until > module->source_words) until = module->source_words;
    deliver(module, module->source + module->source_at, until - module->source_at);
    module->source_at = until;
    while (module->next_event < until)
        module->next_event += module->source[module->next_event] >> 17 & 0x3FFF;
}

static int start_all(u16 number, enum run run, u16 mode)
{
    u32 first = number, last = number;
    if (!is_ready()) return -101;
    if (mode > 1) return -802;
    if (number == module_count()) {
        first = 0;
        last = number - 1;
    }
    int leaders = 0;
    for (u32 i = first; i <= last; i++) {
        int code = refuse(i, ONLINE_AND_IDLE);
        if (code) return code;
        leaders += !!(module_parameter(module_at(i), "MODULE_CSRB") & RUN_LEADER);
    }
    if (module_parameter(module_at(first), ALL_MODULES_WAIT) &&
        (!leaders || module_count() != MODULES))
        return -206;
    for (u32 i = first; i <= last; i++) {
        struct module *module = module_at(i);
        if ((int)i == start_failure) return -214;
        if (!module->is_parked) violation("a run was started before the last one was ended");
        module->run = run;
        module->is_parked = 0;
        module->discarded += module->queued;
        module->queued = 0;
        if (mode == RESUME_RUN) {
            module->resumed++;
            if (!module_parameter(module, "IN_SYNCH"))
                violation("the clocks were set to 0 in a run that was resumed");
        } else {
            module->resumed = 0;
            module->source_at = module->next_event = 0;
        }
        memset(&module->stats, 0, sizeof module->stats);
        float preset;
        u32 bits = module_parameter(module, "HOST_RT_PRESET");
        memcpy(&preset, &bits, sizeof preset);
        module->run_ends = now() + preset;
        if (run == LIST_MODE && !module->step) advance(module, module->source_words);
    }
    return 0;
}

int Pixie16StartListModeRun(u16 number, u16 type, u16 mode)
{
    ENTER();
    return type == 0x100 ? start_all(number, LIST_MODE, mode) : -802;
}

int Pixie16StartHistogramRun(u16 number, u16 mode)
{
    ENTER();
    return start_all(number, HISTOGRAM, mode);
}

int Pixie16CheckRunStatus(u16 number)
{
    ENTER();
    int code = refuse(number, ONLINE);
    if (code) return code;
    struct module *module = module_at(number);
    if (module->run == HISTOGRAM && now() >= module->run_ends) module->run = IDLE;
    if (module->run == LIST_MODE && module->ends_with_source &&
        module->source_at == module->source_words)
        module->run = IDLE;
    if (module->run != IDLE && module->silent_polls > 0) {
        module->silent_polls--;
        return 0;
    }
    return module->run != IDLE;
}

/* Waits until as many threads as tests ask for end a run at the same time. */
static void meet(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 5;
    meeting++;
    pthread_cond_broadcast(&met);
    while (meeting < at_once)
        if (pthread_cond_timedwait(&met, &mutex, &until)) {
            violation("runs were ended one after the other");
            at_once = 0;
        }
}

int Pixie16EndRun(u16 number)
{
    ENTER();
    int code = refuse(number, ONLINE);
    if (code) return code;
    if (number == end_failure) return -214;
    struct module *module = module_at(number);
    pthread_mutex_lock(&mutex);
    if (module->run != IDLE) {
        module->ended_while_running++;
        if (module->run == LIST_MODE) advance(module, module->next_event);
        module->run = IDLE;
        int leads = module_parameter(module, "MODULE_CSRB") & RUN_LEADER &&
                    module_parameter(module, ALL_MODULES_WAIT);
        for (u32 i = 0; leads && i < module_count(); i++) {
            advance(module_at(i), module_at(i)->next_event);
            module_at(i)->run = IDLE;
        }
    }
    module->is_parked = 1;
    if (at_once) meet();
    pthread_mutex_unlock(&mutex);
    return 0;
}

int Pixie16CheckExternalFIFOStatus(u32 *words, u16 number)
{
    ENTER();
    int code = refuse(number, ONLINE);
    if (code) return code;
    struct module *module = module_at(number);
    if (module->run == LIST_MODE && module->looks_left && !--module->looks_left) {
        module->is_online = 0;
        return -204;
    }
    pthread_mutex_lock(&mutex);
    if (module->run == LIST_MODE && module->step)
        advance(module, module->source_at + module->step);
    *words = module->queued;
    if (thief > 0) module->queued = 0;
    if (thief < 0 && module->queued) module->queued = 1;
    pthread_mutex_unlock(&mutex);
    usleep(50); /* time for another thread to come in between */
    return 0;
}

int Pixie16ReadDataFromExternalFIFO(u32 *words, u32 count, u16 number)
{
    ENTER();
    int code = refuse(number, ONLINE);
    if (code) return code;
    struct module *module = module_at(number);
    pthread_mutex_lock(&mutex);
    if (count == 0) {
        /* XIA's library copies all that is queued to where there is room for nothing. */
        if (module->queued) violation("a read of 0 words wrote over the end of its buffer");
        module->queued = 0;
    } else if (module->queued && count > module->queued) {
        code = -807;
    } else if (module->queued) {
        memcpy(words, module->queue, count * sizeof(u32));
        module->queued -= count;
        memmove(module->queue, module->queue + count, module->queued * sizeof(u32));
        module->stats.out += 4 * count;
    }
    pthread_mutex_unlock(&mutex);
    return code;
}

int PixieReadRunFifoStats(u16 number, struct module_fifo_stats *stats)
{
    ENTER();
    if (!stats) return -802;
    int code = refuse(number, OPEN);
    if (!code) *stats = module_at(number)->stats;
    return code;
}

int PixieGetFifoConfiguration(u16 number, struct module_fifo_config *config)
{
    ENTER();
    if (!config) return -205;
    int code = refuse(number, OPEN);
    if (!code) *config = module_at(number)->fifo;
    return code;
}

/* Values before one that is out of range are applied. */
int PixieSetFifoConfiguration(u16 number, struct module_fifo_config *config)
{
    static const size_t least[] = {0, 10, 512, 1000, 10000, 500};
    static const size_t most[] = {100, 10000000, 8192, 100000, 1000000, 200000};
    ENTER();
    int code = refuse(number, OPEN);
    if (code) return code;
    if (any_runs()) return -218;
    const size_t *given = (const size_t *)config;
    size_t *kept = (size_t *)&module_at(number)->fifo;
    for (int i = 0; i < 6; i++) {
        if (given[i] < least[i] || given[i] > most[i]) return -210;
        kept[i] = given[i];
    }
    return 0;
}

static void set_source(struct module *module, const u32 *words, size_t count)
{
    free(module->source);
    module->source = malloc(count * sizeof(u32) + 1);
    memcpy(module->source, words, count * sizeof(u32));
    module->source_words = count;
}

/* A file beside the library, such as slot02.words. */
static FILE *open_beside(const struct module *module, const char *ending)
{
    Dl_info info;
    char path[4096];
    dladdr((void *)open_beside, &info);
    snprintf(path, sizeof path, "%.*s/slot%02u.%s",
             (int)(strrchr(info.dli_fname, '/') - info.dli_fname), info.dli_fname,
             module->slot, ending);
    return fopen(path, "r");
}

/* Runs give the words of slot02.words and end. After as many looks at its queue as
 * slot02.pulled has, a module is gone. */
void load_sources(void)
{
    for (int i = 0; i < MODULES; i++) {
        FILE *file = open_beside(&modules[i], "pulled");
        if (file) {
            if (fscanf(file, "%ld", &modules[i].looks_left) != 1)
                violation("a .pulled file has no number");
            fclose(file);
        }
        file = open_beside(&modules[i], "words");
        if (!file) continue;
        fseek(file, 0, SEEK_END);
        size_t bytes = ftell(file);
        u32 *words = malloc(bytes + 1);
        rewind(file);
        set_source(&modules[i], words, fread(words, 1, bytes, file) / sizeof(u32));
        free(words);
        fclose(file);
        modules[i].step = 1009;
        modules[i].ends_with_source = 1;
    }
}

/* The words of each run: so many at each look at the queue, or all at the start. */
void test_set_source(u32 number, const u32 *words, size_t count, size_t step)
{
    set_source(&modules[number], words, count);
    modules[number].step = step;
}

void test_inject(u32 number, const u32 *words, size_t count)
{
    pthread_mutex_lock(&mutex);
    deliver(&modules[number], words, count);
    pthread_mutex_unlock(&mutex);
}

void test_overflow_hardware(u32 number, size_t polls)
{
    modules[number].stats.hw_overflows = polls;
}
size_t test_queued(u32 number) { return modules[number].queued; }
size_t test_discarded(u32 number) { return modules[number].discarded; }
u32 test_ended_while_running(u32 number) { return modules[number].ended_while_running; }
int test_running(u32 number) { return modules[number].run; }
void test_start_by_itself(u32 number) { modules[number].run = LIST_MODE; }
void test_delay_start(u32 number, int polls) { modules[number].silent_polls = polls; }
void test_end_at_once(int threads) { at_once = threads; meeting = 0; }
void test_steal(int kind) { thief = kind; } /* 1: all words; -1: all but one; 0: none */
void test_fail_start(int number) { start_failure = number; }
void test_fail_end(int number) { end_failure = number; }
size_t test_fifo_buffers(u32 number) { return modules[number].fifo.buffers; }
