"""Headless Chromium, spoken to by WebDriver's JSON (W3C) through chromedriver.

Its profile lies in the scratch directory of the case, and it resolves no name and
reaches nothing but loopback."""

import base64
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile

from harness import SLOW, Skip, check, free_port, is_listening, wait_until

TAB, ENTER = "\ue004", "\ue007"
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-default-apps", "--disable-sync", "--disable-extensions", "--no-pings",
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--window-size=1200,1400"]


class Failed(AssertionError):
    def __init__(self, status, value):
        super().__init__("%s: %s" % (status, json.dumps(value)[:600]))
        self.error = value.get("error") if isinstance(value, dict) else None


class Browser:
    def __init__(self, t):
        browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
        if browser is None or driver is None:
            raise Skip("chromium and chromium-driver are not installed")
        self.t = t
        self.port = free_port()
        home = t.path("chromium")
        os.mkdir(home)
        # Chromium makes a socket there, whose path must be short.
        short = tempfile.mkdtemp(prefix="esets.")
        t.at_end(lambda: shutil.rmtree(short, ignore_errors=True))
        env = {"PATH": os.environ["PATH"], "HOME": home, "TMPDIR": short, "LANG": "C.UTF-8",
               "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home}
        with open(t.path("chromedriver.log"), "wb") as log:
            self.popen = subprocess.Popen([driver, "--port=%d" % self.port], env=env, stdout=log,
                                          stderr=log, stdin=subprocess.DEVNULL,
                                          start_new_session=True)
        self.session = None
        t.at_end(self.close)
        wait_until(lambda: is_listening(self.port), 20, "chromedriver to listen")
        options = {"binary": browser, "args": FLAGS + ["--user-data-dir=" + home + "/profile"]}
        made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "unhandledPromptBehavior": "ignore", "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.session = "/session/" + made["sessionId"]

    def close(self):
        if self.session is not None:
            try:
                self.call("DELETE", self.session)
            except (OSError, AssertionError, http.client.HTTPException):
                pass
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60 * SLOW)
        try:
            text = json.dumps(body if body is not None else {}) if method == "POST" else None
            connection.request(method, path, text, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            value = json.loads(answer.read())["value"]
        finally:
            connection.close()
        if answer.status != 200:
            raise Failed(answer.status, value)
        return value

    def post(self, path, body=None):
        return self.call("POST", self.session + path, body)

    def get(self, path):
        return self.call("GET", self.session + path)

    # -- what a page's reader does and sees

    def open(self, url):
        self.post("/url", {"url": url})

    def run(self, script, *arguments):
        return self.post("/execute/sync", {"script": script, "args": list(arguments)})

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0]).textContent", selector)

    def key(self, *keys):
        self.post("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": [
            {"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]}]})

    def focused(self):
        return self.run("return document.activeElement.id || document.activeElement.tagName")

    def has_alert(self):
        try:
            self.get("/alert/text")
        except Failed as failure:
            check(failure.error == "no such alert", failure)
            return False
        return True

    def emulate(self, method, **parameters):
        self.post("/goog/cdp/execute", {"cmd": "Emulation." + method, "params": parameters})

    def console(self):
        """What went wrong on the page; a policy that was broken, too."""
        return [entry["message"] for entry in self.post("/se/log", {"type": "browser"})
                if entry["level"] in ("SEVERE", "WARNING")]

    def screenshot(self, name):
        path = self.t.path(name)
        with open(path, "wb") as out:
            out.write(base64.b64decode(self.get("/screenshot")))
        check(os.path.getsize(path) > 5000, "a picture of the page")
