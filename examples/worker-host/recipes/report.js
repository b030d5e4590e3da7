// Every morning, a message.
import { EmailMessage } from "cloudflare:email";
import { createMimeMessage } from "mimetext";

export default {
  async scheduled(controller, env, ctx) {
    const msg = createMimeMessage();
    msg.setSender(env.SENDER);
    msg.setRecipient("box@one.example");
    msg.setSubject(`Report of ${controller.cron}`);
    msg.addMessage({ contentType: "text/plain", data: "All is well." });
    ctx.waitUntil(env.REPORTS.send(new EmailMessage(env.SENDER, null, msg.asRaw())));
  },
};
