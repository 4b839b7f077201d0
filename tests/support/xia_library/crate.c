/* Initialising, booting and closing the crate; what modules are; return codes. */
#include "crate.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct module modules[MODULES] = {
    {.slot = 2, .serial = 250, .revision = 15, .bits = 16, .msps = 250, .channels = 16,
     .dsp_file = "/firmware/Pixie16DSP_revfgeneral_16b250m_r42950.ldr"},
    {.slot = 3, .serial = 1000, .revision = 15, .bits = 14, .msps = 500, .channels = 16,
     .dsp_file = "/firmware/Pixie16DSP_revfgeneral_14b500m_r35921.ldr"},
    {.slot = 4, .serial = 1001, .revision = 15, .bits = 14, .msps = 250, .channels = 16,
     .dsp_file = "/firmware/own.ldr"},
    {.slot = 5, .serial = 1002, .revision = 17, .bits = 14, .msps = 250, .channels = 32,
     .dsp_file = "/firmware/Pixie16_revH.ldr"},
};
pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static int was_opened, ready, has_driver = 1;
static u32 count;
static struct module *by_number[MODULES];
static char violations[4096];
static struct { const char *name; int calls; } counters[128];

void enter(const char *function)
{
    pthread_mutex_lock(&mutex);
    int i = 0;
    while (counters[i].name && strcmp(counters[i].name, function)) i++;
    counters[i].name = function;
    counters[i].calls++;
    pthread_mutex_unlock(&mutex);
}

void violation(const char *text)
{
    size_t length = strlen(violations);
    snprintf(violations + length, sizeof violations - length, "%s\n", text);
}

double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + 1e-9 * time.tv_nsec;
}

u32 module_count(void) { return count; }
struct module *module_at(u32 number) { return by_number[number]; }
int is_ready(void) { return ready; }

int any_runs(void)
{
    for (u32 i = 0; i < count; i++)
        if (by_number[i]->is_online && by_number[i]->run != IDLE) return 1;
    return 0;
}

int refuse(u32 number, enum need need)
{
    if (!ready) return -101;
    if (number >= count) return -200;
    const struct module *module = by_number[number];
    if (!module->is_open) return -204;
    if (need != OPEN && !module->is_online) return -204;
    if (need == ONLINE_AND_IDLE && module->run != IDLE) return -218;
    return 0;
}

static void shut_down(void)
{
    for (int i = 0; i < MODULES; i++) {
        modules[i].is_open = modules[i].is_online = 0;
        modules[i].run = IDLE;
    }
}

/* The file is opened once, in what is the current directory then. */
static void write_log(const char *text)
{
    static FILE *file;
    if (!file) file = fopen("Pixie16Msg.log", "a");
    if (!file) return;
    fprintf(file, "%s\n", text);
    fflush(file);
}

int Pixie16InitSystem(u16 number, u16 *slots, u16 offline)
{
    ENTER();
    write_log("init");
    if (was_opened) {
        violation("Pixie16InitSystem was called a second time");
        shut_down();
        return -100;
    }
    if (number == 0 || number > MODULES || (!offline && !has_driver)) return -201;
    was_opened = 1;
    for (u32 i = 0; i < number; i++) {
        by_number[i] = NULL;
        for (int j = 0; j < MODULES; j++)
            if (modules[j].slot == slots[i]) by_number[i] = &modules[j];
        if (!by_number[i]) return -200;
    }
    count = number;
    for (u32 i = 0; i < count; i++) {
        struct module *module = by_number[i];
        module->is_open = 1;
        module->is_parked = 1;
        module->fifo = (struct module_fifo_config){0, 100, 1024, 10000, 150000, 5000};
    }
    load_sources();
    ready = 1;
    return 0;
}

int Pixie16ExitSystem(u16 number)
{
    ENTER();
    if (!ready) return -101;
    if (number > count) return -200;
    if (any_runs()) return -218;
    write_log("exit");
    for (u32 i = 0; i < count; i++) {
        if (number != count && number != i) continue;
        if (!by_number[i]->is_open) return -204;
        by_number[i]->is_open = by_number[i]->is_online = 0;
    }
    return 0;
}

int PixieBootCrate(const char *settings, int mode)
{
    ENTER();
    if (!ready) return -101;
    if (any_runs()) return -218;
    if (mode < 0 || mode > 2) return -802;
    if (mode == 2 && !settings) return -802;
    for (u32 i = 0; i < count; i++) {
        struct module *module = by_number[i];
        if (mode == 2 && !module->is_online) return -204;
        if (mode == 2 || (mode == 0 && module->is_online)) continue;
        if (!module->is_open || module->refuses_boot) continue;
        module->is_online = 1;
        module->pool_words = module->fifo.buffers * BUFFER_WORDS;
        boot_parameters(module);
    }
    return mode != 0 && settings && *settings ? load_settings(settings) : 0;
}

int PixieGetModuleInfo(u16 number, struct module_config *config)
{
    ENTER();
    if (!config) return -205;
    int code = refuse(number, OPEN);
    if (code) return code;
    const struct module *module = by_number[number];
    memset(config, 0, sizeof *config);
    config->adc_bit_resolution = module->bits;
    config->adc_sampling_frequency = module->msps;
    config->number = number;
    config->number_of_channels = module->channels;
    config->revision = module->revision;
    config->serial_number = module->serial;
    config->slot = module->slot;
    if (!module->is_online) return 0;
    strcpy(config->fw_revision, "1.0.1");
    strcpy(config->fw_device[0], "sys");
    strcpy(config->fw_device[1], "dsp");
    strcpy(config->fw_device_file[0], "/firmware/sys.bin");
    strcpy(config->fw_device_file[1], module->dsp_file);
    return 0;
}

int Pixie16LoadModuleFirmware(const char *path)
{
    ENTER();
    if (!ready) return -101;
    if (any_runs()) return -218;
    DIR *directory = opendir(path);
    if (!directory) return -902;
    closedir(directory);
    return 0;
}

int PixieRegisterCrateFirmware(u32 version, int revision, int msps, int bits,
                               const char *device, const char *path)
{
    static char known[16][300];
    char entry[300];
    ENTER();
    if (!ready) return -101;
    if (any_runs()) return -218;
    int key = snprintf(entry, sizeof entry, "%u %d %d %d %s ", version, revision, msps,
                       bits, device);
    snprintf(entry + key, sizeof entry - key, "%s", path);
    for (int i = 0; i < 16; i++) {
        if (!*known[i]) {
            strcpy(known[i], entry);
            return 0;
        }
        if (!strncmp(known[i], entry, key)) return strcmp(known[i], entry) ? -207 : 0;
    }
    return -901;
}

static const struct { int code; const char *text; } texts[] = {
    {100, "the crate is open already"},
    {101, "the crate is not ready"},
    {200, "module number is not valid"},
    {201, "number of modules is not valid"},
    {204, "module is not online"},
    {206, "module cannot do this"},
    {207, "module firmware is not valid"},
    {209, "module parameter is not valid"},
    {210, "module variable is not valid"},
    {211, "module parameter is off"},
    {214, "module task took too long"},
    {218, "run is active"},
    {301, "channel parameter is not valid"},
    /* As in the SDK, these two are each other's. */
    {303, "channel parameter is off"},
    {304, "channel index is not valid"},
    {602, "not the JSON that was expected"},
    {701, "file cannot be opened"},
    {802, "value is not valid"},
    {803, "not supported"},
    {807, "not enough"},
    {902, "allocation failed"},
};

int PixieGetReturnCodeText(int code, char *buffer, u32 size)
{
    ENTER();
    const char *text = "unknown code";
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].code == (code < 0 ? -code : code)) text = texts[i].text;
    if (!buffer || size < strlen(text)) return -802;
    memcpy(buffer, text, strlen(text)); /* without a NUL, as the SDK does */
    return 0;
}

const char *test_violations(void) { return violations; }

int test_calls(const char *function)
{
    for (int i = 0; counters[i].name; i++)
        if (!strcmp(counters[i].name, function)) return counters[i].calls;
    return 0;
}

void test_remove_driver(int removed) { has_driver = !removed; }

void test_refuse_boot(u32 number, int refuses)
{
    modules[number].refuses_boot = refuses;
    modules[number].is_online = 0;
}

int test_online(u32 number) { return modules[number].is_online; }
