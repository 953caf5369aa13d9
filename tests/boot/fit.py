"""What tests/boot/kernel-fit asks of lists of devices.

    fit.py outcomes FIT.json SOURCE...            no device of the sources is lost without a word
    fit.py bound CONSOLE MACHINE.json [KINDS]     the node's devices are bound as the distribution's kernel binds them
"""
import json
import re
import sys

# Drivers that are not called after the module that has them, and what the kernel itself brings.
MODULES = {"xhci_hcd": "xhci_pci", "i801_smbus": "i2c_i801", "piix4_smbus": "i2c_piix4", "skl_uncore": None, "nvidia": None,
           "sd": "sd_mod", "sr": "sr_mod", "fw_cfg": "qemu_fw_cfg", "virtio-pci": "virtio_pci", "hid-generic": "hid_generic",
           "intel-lpss": "intel_lpss_pci", "intel-spi": "spi_intel_pci", "ehci-pci": "ehci_pci", "sdhci-pci": "sdhci_pci",
           "acpi_cpufreq": "acpi_cpufreq", "atkbd": "atkbd", "serial8250": "8250", "i8042": "i8042", "bochs-drm": "bochs"}
# Devices of software alone, which drivers make and bind in any kernel that has them.
SOFTWARE = ("platform:reg-dummy", "platform:alarmtimer", "platform:platform-framebuffer")


def normal(name):
    return (name or "").replace("-", "_")


def fail(text):
    print(text)
    fail.n += 1


fail.n = 0


def outcomes(fit_path, sources):
    fit = json.load(open(fit_path))
    drivers = {d["name"] for d in fit["drivers"] if not d["failure"]}
    seen = set()
    for device in fit["devices"]:
        seen.add(device["where"])
        outcome, reason = device["outcome"], device["reason"]
        if outcome == "driven":
            if not any(d in drivers for d in device["drivers"]):
                fail(f"driven by nothing that is asked for: {device}")
        elif not reason:
            fail(f"no reason: {device}")
        elif outcome == "not driven":
            fail(f"the distribution's kernel drives it, this one does not: {device}")
    for d in fit["drivers"]:
        if d["failure"]:
            fail(f"a driver that cannot be had: {d}")
    wanted = {s["for"] for s in fit["symbols"]}
    print(len(fit["devices"]), "devices,", len(drivers), "drivers,", len(wanted), "of them by new symbols")
    for path in sources:
        text = open(path).read()
        for address in re.findall(r"^\s*((?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) ", text, re.M):
            if address not in seen and "lspci -" not in text:  # devices of the same numbers share one line
                ids = re.findall(address + r".*?([0-9a-f]{4}:[0-9a-f]{4})", text)
                short = [i.upper().split(":") for i in ids[:1]]
                if short and not any(d["modalias"] and f"v0000{short[0][0]}d0000{short[0][1]}" in d["modalias"]
                                     for d in fit["devices"]):
                    fail(f"{path}: {address} is not among the devices")
        for name in re.findall(r"Kernel driver in use: (\S+)", text):
            module = MODULES.get(name, normal(name))
            said = any(d["reason"] and normal(name) in normal(d["reason"]) for d in fit["devices"])
            if module and module not in drivers and not said:
                fail(f"{path}: {name} is in use there and neither asked for nor explained")


def bound(console, machine, kinds):
    text = open(console, errors="replace").read().replace("\r", "")
    here = {}
    for driver, modalias in re.findall(r"^BOUND (\S.*) (\S+)$", text, re.M):
        if driver != "-" or modalias not in here:
            here[modalias] = driver
    left_out = {"input": ("input:", "serio:", "hid:", "acpi:PNP0303", "acpi:PNP0F13", "platform:i8042", "platform:pcspkr"),
                "graphics": ("pci:v00001234d00001111",)}
    skipped = SOFTWARE + tuple(p for kind in kinds for p in left_out.get(kind, ()))
    n = 0
    for device in json.load(open(machine))["devices"]:
        modalias, driver = device["modalias"], device.get("driver")
        if not driver or modalias.startswith(skipped):
            continue
        n += 1
        if here.get(modalias, "-") == "-":
            fail(f"{modalias}: {driver} drives it in the distribution's kernel, and nothing here "
                 f"({'it is not there' if modalias not in here else 'it is there'})")
        elif here[modalias] != driver:
            print(f"{modalias}: {here[modalias]} instead of {driver}")
    if n == 0:
        fail("no device was compared")
    print(n, "devices compared")


if sys.argv[1] == "outcomes":
    outcomes(sys.argv[2], sys.argv[3:])
else:
    bound(sys.argv[2], sys.argv[3], sys.argv[4].split(",") if len(sys.argv) > 4 else [])
sys.exit(1 if fail.n else 0)
