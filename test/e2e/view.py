"""The viewer and the report in a headless Chromium, driven through its debugging port with nothing
but the standard library: plots and scene have content, the button stops the servo, the report can
be scrubbed. With GENBA_DATA the same for `genba run`.

    view.py CHROMIUM DRIVER GENBA SOURCES [FOLDER for screenshots]"""
import base64
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request


class Browser:
    """One tab, one call at a time (RFC 6455 for the little that is needed)."""

    def __init__(self, chromium, folder):
        self.process = subprocess.Popen(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--no-first-run", "--disable-dev-shm-usage", "--remote-debugging-port=0",
             "--user-data-dir=" + folder, "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = self.port_of(os.path.join(folder, "DevToolsActivePort"))
        tabs = json.load(urllib.request.urlopen("http://127.0.0.1:%d/json/list" % port, timeout=20))
        address = [tab for tab in tabs if tab["type"] == "page"][0]["webSocketDebuggerUrl"]
        self.open(port, address.split(str(port), 1)[1])
        self.count = 0
        self.faults = []
        self.call("Page.enable")
        self.call("Runtime.enable")

    def port_of(self, path):
        for _ in range(600):
            if os.path.exists(path) and os.path.getsize(path) > 0:
                return int(open(path).readline())
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        print("skipped: chromium does not start here")
        sys.exit(77)

    def open(self, port, path):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((
            "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n" % (path, port, key)).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1)
        assert b" 101 " in head, head

    def send(self, text):
        mask, body = os.urandom(4), text.encode()
        size = len(body)
        head = bytes([0x81]) + (bytes([0x80 | size]) if size < 126 else
                                struct.pack(">BH", 0x80 | 126, size) if size < 65536 else
                                struct.pack(">BQ", 0x80 | 127, size))
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(body)))

    def exactly(self, size):
        got = b""
        while len(got) < size:
            more = self.socket.recv(size - len(got))
            assert more, "chromium hung up"
            got += more
        return got

    def receive(self):
        text = b""
        while True:
            head = self.exactly(2)
            size = head[1] & 127
            size = (struct.unpack(">H", self.exactly(2))[0] if size == 126 else
                    struct.unpack(">Q", self.exactly(8))[0] if size == 127 else size)
            text += self.exactly(size)
            if head[0] & 0x80:
                return json.loads(text)

    def call(self, method, **params):
        self.count += 1
        self.send(json.dumps({"id": self.count, "method": method, "params": params}))
        while True:
            answer = self.receive()
            if answer.get("method") == "Runtime.exceptionThrown":
                self.faults.append(answer["params"]["exceptionDetails"])
            if answer.get("id") == self.count:
                assert "error" not in answer, answer
                return answer["result"]

    def ask(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, expression, what, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.ask(expression):
                return
            time.sleep(0.1)
        raise SystemExit("view.py: not within %d s: %s" % (seconds, what))

    def size(self, width, height, mobile=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=mobile)

    def picture(self, path, whole=False):
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as to:
            to.write(base64.b64decode(shot["data"]))

    def key(self, key, code):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                      windowsVirtualKeyCode=code)

    def close(self):
        self.process.terminate()
        self.process.wait()


# How many pixels of each canvas inside `host` are painted.
INK = """[...document.querySelectorAll('%s canvas')].map(c => {
  const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
  let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; })"""
SHAPES = "document.querySelectorAll('#world > *').length"
PLACES = "[...document.querySelectorAll('#world > *')].map(e => e.outerHTML).join()"
READY = "document.getElementById('link') && document.getElementById('link').dataset.state === 'live'"
WIDTH = "document.documentElement.scrollWidth <= innerWidth"


def check(condition, what):
    if not condition:
        raise SystemExit("view.py: " + what)
    print("ok", what)


def all_painted(browser, host, count):
    ink = browser.ask(INK % host)
    check(len(ink) >= count and all(n > 300 for n in ink), "%s is painted: %s pixels" % (host, ink))


def views(browser, folder, name):
    """At the two widths people have, light and dark; nothing is wider than the screen."""
    for width, height in ((1280, 800), (400, 800)):
        browser.size(width, height, width < 500)
        for theme in ("light", "dark"):
            browser.ask("document.documentElement.dataset.theme !== '%s' && "
                        "document.getElementById('theme').click()" % theme)
            time.sleep(0.4)
            check(browser.ask(WIDTH), "%s fits %d pixels (%s)" % (name, width, theme))
            if folder:
                browser.picture(os.path.join(folder, "%s-%d-%s.png" % (name, width, theme)))
                browser.picture(os.path.join(folder, "%s-%d-%s-whole.png" % (name, width, theme)),
                                True)
    browser.size(1280, 800)


def look_live(browser, driver, folder, press):
    port = int(driver.stdout.readline().split()[1])
    browser.size(1280, 800)
    browser.call("Page.navigate", url="http://127.0.0.1:%d/" % port)
    browser.until(READY, "ticks arrive")
    browser.until(SHAPES + " > 6", "the scene is drawn")
    browser.until("document.querySelectorAll('#events tbody tr').length > 0", "an intervention")
    time.sleep(1)
    all_painted(browser, "#actions", 2)
    all_painted(browser, "#observations", 5)
    all_painted(browser, "#times", 3)
    before = browser.ask(PLACES)
    browser.until("(%s) !== %s" % (PLACES, json.dumps(before)), "the scene moves")
    views(browser, folder, "live")
    check(browser.ask("document.getElementById('stop').dataset.state") == "ready", "button is ready")
    press(browser)
    browser.until("document.getElementById('stop').dataset.state === 'done'",
                  "the page reads the stop back from the ticks")
    check(driver.stdout.readline().startswith("stopped at tick"), "the servo stopped")
    browser.until("document.getElementById('mode').textContent === 'stopped'", "mode is shown")
    if folder:
        time.sleep(1.5)
        browser.picture(os.path.join(folder, "stopped.png"))


def look_report(browser, path, folder):
    browser.size(1280, 800)
    browser.call("Page.navigate", url="file://" + path + "#t=1")
    browser.until("document.querySelectorAll('#world > *').length > 6", "the report draws its scene")
    time.sleep(0.5)
    for host, count in (("#actions", 2), ("#observations", 5), ("#times", 3), (".scrub", 1)):
        all_painted(browser, host, count)
    where = browser.ask("document.getElementById('where').textContent")
    before = browser.ask(PLACES)
    check(where.startswith("1.00 s"), "the report opens at the time asked for: " + where)
    browser.ask("{const s = document.getElementById('slider'); s.value = 3;"
                "s.dispatchEvent(new Event('input'))}")
    browser.until("document.getElementById('where').textContent.startsWith('3.00 s')", "scrubbing")
    check(browser.ask(PLACES) != before, "the scene follows the slider")
    browser.key("ArrowRight", 39)
    browser.until("!document.getElementById('where').textContent.startsWith('3.00 s')", "a step")
    browser.ask("document.querySelector('#events tbody tr:last-child').click()")
    browser.until("document.getElementById('mode').textContent === 'stopped'",
                  "a jump to the last intervention")
    check(browser.ask("document.getElementById('stop').hidden"), "a report has no button")
    summary = browser.ask("document.getElementById('lede').textContent")
    check("ticks at 100 Hz" in summary and "stopped" in summary, "the summary: " + summary)
    at = browser.ask("document.getElementById('slider').value = 1;"
                     "document.getElementById('play').click(); 1")
    browser.until("+document.getElementById('slider').value > %d.3" % at, "playing")
    browser.ask("document.getElementById('play').click()")
    views(browser, folder, "report")


def look_at_run(browser, genba, sources, temporary):
    """The real loop with a model that has learned nothing: only what is seen of it matters."""
    if not os.environ.get("GENBA_DATA"):
        print("skipped: genba run, as GENBA_DATA is not set and there is no model without data")
        return
    model, report = os.path.join(temporary, "run"), os.path.join(temporary, "run.html")
    subprocess.run([genba, "train", "examples/pusht.yaml", "--steps", "2", "--out", model],
                   cwd=sources, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run = subprocess.Popen([genba, "run", model + "/model", "--plant", "pusht", "--envelope",
                            "examples/envelopes/pusht.yaml", "--seconds", "120", "--view",
                            "--report", report, "--priority", "0"], cwd=sources,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    line = run.stderr.readline()
    while "http://" not in line:
        assert line, "genba run names no address"
        line = run.stderr.readline()
    browser.call("Page.navigate", url=line[line.index("http://"):].strip())
    browser.until(READY, "genba run: ticks arrive")
    browser.until(SHAPES + " > 6", "genba run: the scene is drawn")
    time.sleep(1)
    all_painted(browser, "#actions", 2)
    click(browser)
    browser.until("document.getElementById('stop').dataset.state === 'done'",
                  "genba run: the envelope confirms the emergency stop")
    print("ok genba run: the envelope confirms the emergency stop")
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=60)
    check(run.returncode == 130, "genba run ends when asked to: %d" % run.returncode)
    browser.call("Page.navigate", url="file://" + report)
    browser.until(SHAPES + " > 6", "genba run: the report draws its scene")
    check("stopped" in browser.ask("document.getElementById('lede').textContent"),
          "genba run: the report tells of the stop")


def click(browser):
    browser.ask("document.getElementById('stop').click()")


def escape(browser):
    browser.key("Escape", 27)


def main():
    chromium, program, genba, sources = sys.argv[1:5]
    folder = sys.argv[5] if len(sys.argv) > 5 else None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        report = os.path.join(temporary, "report.html")
        browser = Browser(chromium, os.path.join(temporary, "profile"))
        try:
            for press, shown in ((click, folder), (escape, None)):
                driver = subprocess.Popen([program, "0", "60", report],
                                          stdout=subprocess.PIPE, text=True)
                look_live(browser, driver, shown, press)
                check(driver.wait(timeout=60) == 0, "the driver ended well")
                browser.until("document.getElementById('stop').dataset.state === 'lost'",
                              "the page says when nobody listens any more")
            empty = os.path.join(temporary, "empty.html")
            subprocess.run([program, "0", "0", empty], check=True, stdout=subprocess.DEVNULL)
            browser.call("Page.navigate", url="file://" + empty)
            browser.until("document.title.length > 5", "the report of a run without a tick")
            look_report(browser, report, folder)
            look_at_run(browser, genba, sources, temporary)
            check(not browser.faults, "no error in the page: %s" % browser.faults)
        finally:
            browser.close()


if __name__ == "__main__":
    main()
