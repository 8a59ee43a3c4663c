// The element's markup. Words that depend on the avatar are filled in by the element.

import { icon } from "./icons.js";

const tool = (name, glyph, label, attributes = "") =>
  `<button type="button" class="tool ${name}" aria-label="${label}" title="${label}" ${attributes}>${icon(glyph)}</button>`;

const choice = (group, value, label, note = "") => `
  <label class="choice">
    <input type="radio" name="${group}" value="${value}">
    <span>${label}${note && `<small>${note}</small>`}</span>
  </label>`;

const toggle = (name, label, note = "") => `
  <label class="toggle">
    <span>${label}${note && `<small>${note}</small>`}</span>
    <input type="checkbox" role="switch" name="${name}">
  </label>`;

export const TEMPLATE = `
<section class="app" aria-label="Avatar">
  <div class="stage">
    <canvas class="backdrop" aria-hidden="true"></canvas>
    <div class="side left"></div>
    <div class="picture">
      <img class="portrait" alt="">
      <video playsinline disablepictureinpicture disableremoteplayback tabindex="-1" aria-hidden="true"></video>
      <canvas class="edge left" aria-hidden="true"></canvas>
      <canvas class="edge right" aria-hidden="true"></canvas>
    </div>
    <div class="side right"></div>
    <div class="fade"></div>

    <div class="top">
      <div class="who"><span class="dot" aria-hidden="true"></span><span class="name"></span><abbr class="ai" title="This avatar is an AI, not a person.">AI</abbr><span class="doing"></span></div>
      <div class="tools" role="group" aria-label="Conversation">
        ${tool("show-transcript", "transcript", "Transcript", 'aria-expanded="false" aria-controls="transcript"')}
        ${tool("show-settings", "settings", "Settings", 'aria-expanded="false" aria-controls="settings"')}
        ${tool("end", "end", "End the conversation", "hidden")}
      </div>
    </div>

    <div class="foot">
      <div class="welcome">
        <h2></h2>
        <p class="invitation">Just speak. Interrupt whenever you like.</p>
        <div class="ways">
          <button type="button" class="start">${icon("microphone")}<span>Start talking</span></button>
          <button type="button" class="plain start-typing">Type instead</button>
        </div>
      </div>
      <div class="talk" hidden>
        <div class="captions" role="region" aria-label="Captions" tabindex="0"></div>
        <form class="dock" autocomplete="off">
          ${tool("type", "keyboard", "Type a message", 'aria-pressed="false"')}
          <div class="field" hidden>
            <input class="message" type="text" maxlength="2000" enterkeyhint="send" aria-label="Message" placeholder="Message…">
            <button type="submit" class="send" aria-label="Send" title="Send">${icon("send")}</button>
          </div>
          <button type="button" class="microphone" aria-describedby="hint">
            <span class="level" aria-hidden="true"></span>
            <span class="on">${icon("microphone")}</span><span class="off">${icon("muted")}</span>
          </button>
          ${tool("stop", "stop", "Stop the avatar (Esc)", "disabled")}
        </form>
        <p class="hint" id="hint"></p>
      </div>
    </div>

    <section class="latency" aria-label="Latency" hidden>
      <header><h2>Latency</h2><span class="median"></span>${tool("close-latency", "close", "Close")}</header>
      <p class="none">The times of each turn appear here, counted from the end of your words.</p>
      <table><caption class="hidden">Time from the end of your words to each stage's first result</caption><colgroup><col class="stage-column"><col><col class="time-column"></colgroup><tbody></tbody></table>
      <dl hidden></dl>
    </section>

    <div class="drop" hidden><p>${icon("add")}Drop a portrait to make it an avatar</p></div>
  </div>

  <section class="panel" id="transcript" role="dialog" aria-label="Transcript" tabindex="-1" hidden>
    <header>
      <h2>Transcript</h2>
      ${tool("copy", "copy", "Copy the transcript")}
      ${tool("download", "download", "Download the transcript")}
      ${tool("close-panel", "close", "Close")}
    </header>
    <div class="segments" role="radiogroup" aria-label="Conversations">
      ${choice("view", "now", "This one")}${choice("view", "earlier", "Earlier ones")}
    </div>
    <div class="scroll now" tabindex="0" role="region" aria-label="What was said">
      <p class="empty">What you and the avatar say appears here.</p>
      <ol class="turns"></ol>
    </div>
    <div class="scroll earlier" tabindex="0" role="region" aria-label="Earlier conversations" hidden>
      <input class="search" type="search" maxlength="200" aria-label="Search the earlier conversations" placeholder="Search…">
      <p class="empty">Conversations that are over appear here. <span class="where"></span></p>
      <p class="none" hidden>Nothing was said that has these words.</p>
      <ul class="conversations"></ul>
    </div>
    <footer><button type="button" class="wide new">${icon("add")}New conversation</button></footer>
  </section>

  <section class="panel" id="settings" role="dialog" aria-label="Settings" tabindex="-1" hidden>
    <header><h2>Settings</h2>${tool("close-panel", "close", "Close")}</header>
    <form class="scroll">
      <fieldset>
        <legend>Avatar</legend>
        <div class="avatars"></div>
        <label class="upload">${icon("add")}<span>Add a portrait<small>Drop a picture here or choose one. Only of yourself, or of somebody who agreed.</small></span>
          <input type="file" accept="image/*" class="hidden">
        </label>
      </fieldset>
      <label class="row">Voice<select name="voice"></select></label>
      <div>
        <ul class="people" aria-label="Voices of people"></ul>
        <button type="button" class="wide add-voice">${icon("add")}Add a voice</button>
      </div>
      <label class="row">Language<select name="language"></select></label>
      <fieldset>
        <legend>How to talk</legend>
        ${choice("talk", "always", "Just speak", "The avatar hears when you are done.")}
        ${choice("talk", "click", "Click to talk", "Click the microphone to begin and to end.")}
        ${choice("talk", "push", "Push to talk", "Hold the microphone button, or Space.")}
      </fieldset>
      ${toggle("sound", "The avatar's voice", "When off, a screen reader reads its words.")}
      <fieldset>
        <legend>Appearance</legend>
        <div class="segments">${choice("theme", "auto", "Auto")}${choice("theme", "light", "Light")}${choice("theme", "dark", "Dark")}</div>
      </fieldset>
      ${toggle("shortcuts", "Keyboard shortcuts", "<kbd>Space</kbd> talk, <kbd>Esc</kbd> stop, <kbd>L</kbd> latency")}
      <fieldset>
        <legend>Connection</legend>
        <button type="button" class="wide check">Check connection</button>
        <ul class="findings" aria-live="polite"></ul>
        <button type="button" class="wide show-latency">Show latency</button>
      </fieldset>
      <p class="about"></p>
    </form>
  </section>

  <dialog class="enrol" aria-labelledby="enrol-title">
    <form autocomplete="off">
      <h2 id="enrol-title"></h2>
      <div class="for-voice">
        <p>Read this aloud in a quiet room, or bring a recording of ten to thirty seconds:</p>
        <blockquote>Good morning! I usually wake up early, open the window and listen to the birds for a while. Then I make a cup of coffee, feed the cat, and read what happened in the world. On Saturdays we go to the market by the river, where an old man sells fresh bread, cheese and very sweet oranges.</blockquote>
        <p><small>The avatar then speaks with the voice of its own that is most like it: this is voice matching rather than cloning. It can be used after some seconds, and becomes more alike in the minutes after, while nobody talks.</small></p>
        <div class="ways">
          <button type="button" class="plain record">Record</button>
          <label class="plain file">Choose a recording<input type="file" name="recording" accept="audio/*,video/*" class="hidden"></label>
        </div>
      </div>
      <p class="got" role="status"></p>
      <label class="row for-voice">Name of the voice<input name="name" maxlength="80"></label>
      <label class="row">Who it is<input name="person" maxlength="80" required></label>
      <label class="choice"><input type="checkbox" name="agreed" required><span class="wording"></span></label>
      <p class="problem" role="alert"></p>
      <div class="ways"><button type="submit" class="primary">Add</button><button type="button" class="plain cancel">Cancel</button></div>
    </form>
  </dialog>

  <div class="notices" role="alert"></div>
  <div class="hidden status" role="status"></div>
  <div class="hidden log" role="log" aria-label="What was said, for screen readers"></div>
</section>`;
