/* A stand-in for XIA's library: its functions, return codes and traps, without modules.
 *
 * The crate has four modules, as the simulation of PixieSDK 5.3.0. Where a program would
 * lose data or crash, a violation is noted instead, which tests ask for. What tests call
 * begins with "test_".
 */
#ifndef CRATE_H
#define CRATE_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#define MODULES 4
#define MOST_CHANNELS 32
#define CHANNEL_PARAMETERS 38
#define MODULE_PARAMETERS 18
#define BUFFER_WORDS 65536
#ifndef TEXT_BYTES
#define TEXT_BYTES 256          /* of PixieSDK 5.3.0; others have other structures */
#endif

typedef uint16_t u16;
typedef uint32_t u32;

struct module_config {
    u16 adc_bit_resolution;
    u16 adc_sampling_frequency;
    char fw_revision[TEXT_BYTES];
    char fw_tag[TEXT_BYTES];
    char fw_type[TEXT_BYTES];
    char fw_device[6][16];
    char fw_device_file[6][TEXT_BYTES];
    u16 number;
    u16 number_of_channels;
    u16 revision;
    u32 serial_number;
    u16 slot;
#ifdef MORE_BYTES
    char more[MORE_BYTES];
#endif
};

struct module_fifo_config {
    size_t bandwidth_mb_per_sec, buffers, dma_trigger_level_bytes;
    size_t hold_usecs, idle_wait_usecs, run_wait_usecs;
};

struct module_fifo_stats {
    size_t in, out, dma_in, overflows, dropped, hw_overflows;
};

enum run { IDLE, LIST_MODE, HISTOGRAM };

struct module {
    u32 slot, serial, revision, bits, msps, channels;
    const char *dsp_file;
    int is_open, is_online, refuses_boot;

    enum run run;
    int is_parked;          /* the worker of the last run was put to rest */
    int silent_polls;       /* asks for the status that are answered with "not yet" */
    double run_ends;        /* of a histogram run, s of the monotonic clock */
    u32 ended_while_running;
    size_t discarded;

    struct module_fifo_config fifo;
    struct module_fifo_stats stats;
    size_t pool_words;      /* set at the boot */
    u32 *queue;
    size_t queued;

    u32 *source;            /* what the module measures in each run */
    size_t source_words, source_at, next_event, step;
    int ends_with_source;
    long looks_left;        /* at its queue, until it is pulled; 0: it stays */

    int has_traces, has_baselines, slot_id_is_written;
    double channel[CHANNEL_PARAMETERS][MOST_CHANNELS];
    u32 parameter[MODULE_PARAMETERS];
};

extern struct module modules[MODULES];  /* in the order of the slots */
extern pthread_mutex_t mutex;
extern const char *channel_names[CHANNEL_PARAMETERS];
extern const char *module_names[MODULE_PARAMETERS];

#define ENTER() enter(__func__)
void enter(const char *function);       /* counts the calls */
void violation(const char *text);
double now(void);

u32 module_count(void);
struct module *module_at(u32 number);   /* by the number that callers know */
int is_ready(void);
int any_runs(void);

/* 0, or the code with which a call for a module fails. */
enum need { OPEN, ONLINE, ONLINE_AND_IDLE };
int refuse(u32 number, enum need need);

int parameter_index(const char **names, int count, const char *name);
u32 module_parameter(const struct module *module, const char *name);
int load_settings(const char *path);
void boot_parameters(struct module *module);
void load_sources(void);

#endif
