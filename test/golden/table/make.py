#!/usr/bin/env python3
"""Makes the tables of this folder: what plants write, in the encodings and with the clocks they have."""
import datetime
import json
import pathlib
import zoneinfo

here = pathlib.Path(__file__).parent


def plant():
    """A Japanese daily report: title lines, CP932 with company signs, 9999 where a value failed."""
    rows = ["㈱髙橋製作所 ①号機 運転日報", "出力日,2024/05/01", "",
            "日付,時刻,温度[℃],流量(L/min),圧力[MPa],状態,備考"]
    notes = {0: "運転開始～", 9: "ﾎﾟﾝﾌﾟ 過負荷", 11: "復旧 ②系統"}
    for i in range(24):
        flow = "9999" if i in (7, 8, 9) else "%.2f" % (1.2 + 0.01 * i)
        state = "異常" if i in (9, 10) else "正常"
        rows.append("2024/04/01,00:%02d:%02d,%.1f,%s,%.3f,%s,%s" % (
            i // 6, i % 6 * 10, 20.5 + 0.1 * (i % 5), flow, 0.5 + 0.002 * i, state, notes.get(i, "")))
    (here / "plant_cp932.csv").write_bytes(("\r\n".join(rows) + "\r\n").encode("cp932"))


def european():
    """UTF-16 with its mark, semicolons, decimal commas, day first, over New Year."""
    rows = ["Zeit;Außentemperatur [°C];Druck [bar];Drehzahl [1/min]"]
    start = datetime.datetime(2023, 12, 31, 22, 0)
    for i in range(20):
        at = start + datetime.timedelta(minutes=10 * i)
        rows.append("%s;%s;%s;%d" % (at.strftime("%d.%m.%Y %H:%M:%S"), ("%.1f" % (-2.5 + 0.3 * i)).replace(".", ","),
                                     ("%.2f" % (1.5 + 0.05 * i)).replace(".", ","), 1450 + i))
    (here / "european_utf16le.csv").write_bytes(b"\xff\xfe" + ("\r\n".join(rows) + "\r\n").encode("utf-16le"))


def berlin():
    """Ten-minute steps on a wall clock in Berlin through both changes, and a time it never showed."""
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    rows = ["stamp,power [kW]"]
    for start in (datetime.datetime(2024, 3, 30, 23, 0), datetime.datetime(2024, 10, 26, 22, 0)):
        for i in range(24):
            utc = (start + datetime.timedelta(minutes=10 * i)).replace(tzinfo=datetime.timezone.utc)
            rows.append("%s,%d" % (utc.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"), len(rows) - 1))
    rows.append("2025-03-30 02:30:00,%d" % (len(rows) - 1))
    (here / "berlin_2024.csv").write_text("\n".join(rows) + "\n")


def press():
    """The log of two presses as lines of JSON; one line was cut by a restart."""
    lines = []
    for i in range(12):
        line = {"time": "2024-04-01T00:00:%02d.5Z" % i,
                "machine": {"id": "press-%d" % (1 + i % 2), "axis": [round(0.1 * i, 1), -1.5]},
                "force_kN": None if i == 4 else 12 + i, "door": i % 3 == 0,
                "alarm": {5: "E12 温度異常"}.get(i, ""), "message": "cycle %d \"done\"" % i}
        lines.append(json.dumps(line, ensure_ascii=i % 2 == 0))
    lines.insert(6, '{"time":"2024-04-01T00:00:05.9Z","machine":{"id":"press-1"')
    (here / "press.jsonl").write_text("\n".join(lines) + "\n")


plant()
european()
berlin()
press()
