/* Parameters of modules and channels, and settings files, which go by position. */
#include "crate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *channel_names[CHANNEL_PARAMETERS] = {
    "TRIGGER_RISETIME", "TRIGGER_FLATTOP", "TRIGGER_THRESHOLD", "ENERGY_RISETIME",
    "ENERGY_FLATTOP", "TAU", "TRACE_LENGTH", "TRACE_DELAY", "VOFFSET", "XDT",
    "BASELINE_PERCENT", "EMIN", "BLCUT", "CHANNEL_CSRA", "CHANNEL_CSRB", "BINFACTOR",
    "BASELINE_AVERAGE", "INTEGRATOR", "CFDScale", "CFDDelay", "CFDThresh", "QDCLen0",
    "QDCLen1", "QDCLen2", "QDCLen3", "QDCLen4", "QDCLen5", "QDCLen6", "QDCLen7",
    "FASTTRIGBACKLEN", "ExtTrigStretch", "ChanTrigStretch", "VetoStretch",
    "ExternDelayLen", "FtrigoutDelay", "RESET_DELAY", "MultiplicityMaskL",
    "MultiplicityMaskH"};
const char *module_names[MODULE_PARAMETERS] = {
    "CrateID", "SlotID", "ModID", "MODULE_CSRA", "MODULE_FORMAT", "MAX_EVENTS",
    "MODULE_NUMBER", "MODULE_CSRB", "SLOW_FILTER_RANGE", "FAST_FILTER_RANGE",
    "SYNCH_WAIT", "IN_SYNCH", "HOST_RT_PRESET", "FastTrigBackplaneEna", "TrigConfig0",
    "TrigConfig1", "TrigConfig2", "TrigConfig3"};

static u32 stuck_bits; /* of CHANNEL_CSRA: stay 0 whatever is written */

int parameter_index(const char **names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(names[i], name)) return i;
    return -1;
}

static int channel_index(const char *name)
{
    return parameter_index(channel_names, CHANNEL_PARAMETERS, name);
}

static int module_index(const char *name)
{
    return parameter_index(module_names, MODULE_PARAMETERS, name);
}

u32 module_parameter(const struct module *module, const char *name)
{
    return module->parameter[module_index(name)];
}

void boot_parameters(struct module *module)
{
    module->parameter[module_index("SlotID")] = module->slot;
    module->slot_id_is_written = 1;
}

static int is_one_of(const char *name, const char **names)
{
    for (; *names; names++)
        if (!strcmp(*names, name)) return 1;
    return 0;
}

static double clipped(double value, double least, double most)
{
    return value < least ? least : value > most ? most : value;
}

int Pixie16ReadSglChanPar(const char *name, double *value, u16 number, u16 channel)
{
    ENTER();
    int code = refuse(number, ONLINE_AND_IDLE), index = channel_index(name);
    if (code) return code;
    if (channel >= module_at(number)->channels) return -300;
    if (index < 0) return -301;
    if (!strcmp(name, "CHANNEL_CSRB")) return -304;
    *value = module_at(number)->channel[index][channel];
    return 0;
}

int Pixie16WriteSglChanPar(const char *name, double value, u16 number, u16 channel)
{
    ENTER();
    int code = refuse(number, ONLINE_AND_IDLE), index = channel_index(name);
    if (code) return code;
    if (channel >= module_at(number)->channels) return -300;
    if (index < 0) return -301;
    if (!strcmp(name, "CHANNEL_CSRB")) return -304;
    double *kept = &module_at(number)->channel[index][channel];
    if (!strcmp(name, "VOFFSET")) {
        if (value < -1.5) violation("an offset below -1.5 V was wrapped to 1.5 V");
        double dac = trunc(65536 * (value / 3 + 0.5));
        *kept = 3 * ((dac < 0 ? 65535 : clipped(dac, 0, 65535)) / 65536 - 0.5);
    } else if (!strcmp(name, "CFDThresh")) {
        *kept = value < 1 || value > 65535 ? 65535 : trunc(value);
        return value < 1 || value > 65535 ? -301 : 0;
    } else if (!strcmp(name, "TRIGGER_RISETIME")) {
        *kept = clipped(round(value * 125), 2, 117) / 125;
    } else if (!strcmp(name, "BINFACTOR")) {
        *kept = clipped(trunc(value), 1, 6);
    } else if (!strcmp(name, "CHANNEL_CSRA")) {
        *kept = (u32)value & ~stuck_bits;
    } else {
        *kept = (float)value;
    }
    return 0;
}

int Pixie16ReadSglModPar(const char *name, u32 *value, u16 number)
{
    static const char *off[] = {"MODULE_CSRA", "MODULE_FORMAT", "MAX_EVENTS", "ModID", 0};
    ENTER();
    int code = refuse(number, ONLINE_AND_IDLE), index = module_index(name);
    if (code) return code;
    if (index < 0) return -209;
    if (is_one_of(name, off)) return -211;
    *value = !strcmp(name, "MODULE_NUMBER") ? number : module_at(number)->parameter[index];
    return 0;
}

static int leads_another(u16 number)
{
    for (u32 i = 0; i < module_count(); i++)
        if (i != number && module_parameter(module_at(i), "MODULE_CSRB") & 1 << 6) return 1;
    return 0;
}

int Pixie16WriteSglModPar(const char *name, u32 value, u16 number)
{
    static const char *off[] = {"MODULE_CSRA", "MODULE_FORMAT", "MAX_EVENTS", "ModID", 0};
    static const char *broadcast[] = {"SYNCH_WAIT", "IN_SYNCH", "HOST_RT_PRESET", 0};
    ENTER();
    int code = refuse(number, ONLINE_AND_IDLE), index = module_index(name);
    if (code) return code;
    if (index < 0 || !strcmp(name, "MODULE_NUMBER")) return -209;
    if (is_one_of(name, off)) return -211;
    if (!strcmp(name, "SLOW_FILTER_RANGE") && (value < 1 || value > 6)) return -209;
    if (!strcmp(name, "FAST_FILTER_RANGE")) value = 0;
    if (!strcmp(name, "SlotID")) violation("SlotID was written");
    if (!strcmp(name, "MODULE_CSRB") && value & 1 << 6 && leads_another(number)) return -209;
    for (u32 i = 0; is_one_of(name, broadcast) && i < module_count(); i++)
        if (module_at(i)->run != IDLE) return -218;
    for (u32 i = 0; i < module_count(); i++)
        if (i == number || is_one_of(name, broadcast))
            module_at(i)->parameter[index] = value;
    return 0;
}

/* One entry for each channel of all modules, however long the array really is. */
int Pixie16CopyDSPParameters(u16 bits, u16 number, u16 channel, u16 *mask)
{
    ENTER();
    int code = refuse(number, ONLINE_AND_IDLE), tau = channel_index("TAU");
    if (code) return code;
    for (u32 i = 0; i < module_count(); i++)
        for (u32 c = 0; c < module_at(i)->channels; c++, mask++)
            for (int p = 0; *mask && p < CHANNEL_PARAMETERS; p++)
                if (bits == 0xFFF || (bits & 1 << 3 && p == tau))
                    module_at(i)->channel[p][c] = module_at(number)->channel[p][channel];
    return 0;
}

int Pixie16SaveDSPParametersToFile(const char *path)
{
    ENTER();
    if (any_runs()) return -218;
    FILE *file = fopen(path, "w");
    if (!file) return -701;
    int entries = 0;
    for (u32 i = 0; is_ready() && i < module_count(); i++) {
        const struct module *module = module_at(i);
        if (!module->is_online) continue;
        fprintf(file, "%s\n{\"metadata\": {\"number\": %u, \"slot\": %u, ",
                entries++ ? "," : "[", i, module->slot);
        fprintf(file, "\"serial-num\": %u, \"num-channels\": %u},\n \"module\": {\"input\": {",
                module->serial, module->channels);
        for (int p = 0; p < MODULE_PARAMETERS; p++)
            fprintf(file, "%s\"%s\": %u", p ? ", " : "", module_names[p],
                    module->parameter[p]);
        fprintf(file, "}},\n \"channel\": {\"input\": {");
        for (int p = 0; p < CHANNEL_PARAMETERS; p++) {
            fprintf(file, "%s\"%s\": ", p ? ", " : "", channel_names[p]);
            for (u32 c = 0; c < module->channels; c++)
                fprintf(file, "%s%.17g", c ? ", " : "[", module->channel[p][c]);
            fprintf(file, "]");
        }
        fprintf(file, "}}}");
    }
    fprintf(file, entries ? "\n]\n" : "null");
    fclose(file);
    return 0;
}

/* Returns what is behind the value of a key within [text, end), or NULL. */
static const char *value_of(const char *text, const char *end, const char *key)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\"", key);
    const char *found = strstr(text, quoted);
    if (!found || found >= end) return NULL;
    return strchr(found + strlen(quoted), ':') + 1;
}

static void load_entry(struct module *module, const char *text, const char *end)
{
    for (int p = 0; p < MODULE_PARAMETERS; p++) {
        const char *value = value_of(text, end, module_names[p]);
        if (value && strcmp(module_names[p], "SlotID"))
            module->parameter[p] = strtoul(value, NULL, 10);
    }
    for (int p = 0; p < CHANNEL_PARAMETERS; p++) {
        const char *value = value_of(text, end, channel_names[p]);
        if (!value) continue;
        char *next = strchr(value, '[') + 1;
        double first = strtod(next, &next);
        for (u32 c = 0; c < module->channels; c++) {
            module->channel[p][c] = c == 0 || *next != ',' ? first : strtod(next + 1, &next);
        }
    }
}

/* By position: which module an entry was saved for is not looked at. */
int load_settings(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file) return -701;
    char *content = calloc(1, 1 << 20);
    content[fread(content, 1, (1 << 20) - 1, file)] = 0;
    fclose(file);
    int code = *content == '[' ? 0 : -602, depth = 0;
    u32 entry = 0;
    const char *start = content;
    for (const char *at = content; !code && *at; at++) {
        if (*at == '{' && depth++ == 0) start = at;
        if (*at == '}' && --depth == 0 && entry < module_count())
            load_entry(module_at(entry++), start, at);
    }
    for (; !code && entry < module_count(); entry++)
        memset(module_at(entry)->channel, 0, sizeof module_at(entry)->channel);
    free(content);
    return code;
}

int Pixie16LoadDSPParametersFromFile(const char *path)
{
    ENTER();
    if (!is_ready()) return -101;
    for (u32 i = 0; i < module_count(); i++) {
        int code = refuse(i, ONLINE_AND_IDLE);
        if (code) return code;
    }
    return load_settings(path);
}

void test_stick_bits(u32 bits) { stuck_bits = bits; }
void test_set_module_parameter(u32 number, const char *name, u32 value)
{
    modules[number].parameter[module_index(name)] = value;
}
u32 test_module_parameter(u32 number, const char *name)
{
    return module_parameter(&modules[number], name);
}
void test_set_channel_parameter(u32 number, const char *name, u32 channel, double value)
{
    modules[number].channel[channel_index(name)][channel] = value;
}
