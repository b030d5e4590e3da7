// Send a message that mimetext has made, when somebody asks for the page.
import { EmailMessage } from "cloudflare:email";
import { createMimeMessage } from "mimetext";

export default {
  async fetch(request, env) {
    const msg = createMimeMessage();
    msg.setSender({ name: "A worker", addr: env.SENDER });
    msg.setRecipient(env.RECIPIENT);
    msg.setSubject("Sent by a worker");
    msg.addMessage({
      contentType: "text/plain",
      data: "Nobody typed this.",
    });

    const message = new EmailMessage(env.SENDER, env.RECIPIENT, msg.asRaw());
    try {
      await env.SEB.send(message);
    } catch (e) {
      return new Response(e.message);
    }
    return new Response("Sent.");
  },
};
